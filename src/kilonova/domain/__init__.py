"""What a cloud is: frozen structs, enums, state tables and errors. No I/O, and no import of our other packages."""
