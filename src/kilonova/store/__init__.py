"""The records: tables, named queries per aggregate, migrations. Nothing outside this package writes SQL."""
