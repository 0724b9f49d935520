"""Features that flavors and images ask for by name, as the traits of hosts that have them: what Nova asks of Placement."""

from __future__ import annotations

from collections.abc import Iterator

from kilonova.domain.boot import SchedulingRequest

# By the property's name in an image; in a flavor the same begins with `hw:`.
_TRAITS = {
    "hw_virtio_packed_ring": {"true": "COMPUTE_NET_VIRTIO_PACKED"},
    "hw_ephemeral_encryption": {"true": "COMPUTE_EPHEMERAL_ENCRYPTION"},
    "hw_ephemeral_encryption_format": {
        "luks": "COMPUTE_EPHEMERAL_ENCRYPTION_LUKS",
        "plain": "COMPUTE_EPHEMERAL_ENCRYPTION_PLAIN",
    },
    "hw_sound_model": {"virtio": "COMPUTE_SOUND_MODEL_VIRTIO"},
    "hw_tpm_version": {"1.2": "COMPUTE_SECURITY_TPM_1_2", "2.0": "COMPUTE_SECURITY_TPM_2_0"},
    "hw_tpm_model": {"tpm-tis": "COMPUTE_SECURITY_TPM_TIS", "tpm-crb": "COMPUTE_SECURITY_TPM_CRB"},
    "hw_tpm_secret_security": {
        "user": "COMPUTE_SECURITY_TPM_SECRET_SECURITY_USER",
        "host": "COMPUTE_SECURITY_TPM_SECRET_SECURITY_HOST",
        "deployment": "COMPUTE_SECURITY_TPM_SECRET_SECURITY_DEPLOYMENT",
    },
}
_ACCELERATORS = "accel:device_profile"


def traits_of_features(request: SchedulingRequest) -> Iterator[str]:
    """The traits that a host must have for what the flavor and the image ask for."""
    if _ACCELERATORS in request.extra_specs:
        yield "COMPUTE_ACCELERATORS"
    said = {key.replace("hw:", "hw_", 1): value for key, value in request.extra_specs.items() if key.startswith("hw:")}
    for key, value in (said | request.image_properties).items():
        trait = _TRAITS.get(key, {}).get(value.lower())
        if trait is not None:
            yield trait
