"""Protocol version 1 and store format 1, frozen: schemas, messages, stored values and a whole store."""
