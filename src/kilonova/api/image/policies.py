"""Who may do what with images: Glance's rule names. Which images a caller knows of at all is the store's to say."""

from __future__ import annotations

from kilonova.api.framework import PolicyRule

_READER = "role:admin or role:reader"
_MEMBER = "role:admin or role:member"

POLICIES = (
    PolicyRule("add_image", check="role:admin or (role:member and project_id:%(project_id)s and project_id:%(owner)s)"),
    PolicyRule("get_image", check=_READER),
    PolicyRule("get_images", check=_READER),
    PolicyRule("download_image", check=_MEMBER),
    *(
        PolicyRule(name, "member")
        for name in (
            "modify_image", "delete_image", "upload_image", "communitize_image", "deactivate", "reactivate",
            "add_member", "delete_member",
        )
    ),
    PolicyRule("publicize_image", "admin"),
    PolicyRule("get_member", check=_READER),
    PolicyRule("get_members", check=_READER),
    PolicyRule("modify_member", check="role:admin or (role:member and project_id:%(member_id)s)"),
    PolicyRule("stores_info_detail", "admin"),
)  # fmt: skip
