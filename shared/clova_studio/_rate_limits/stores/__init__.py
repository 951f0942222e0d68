"""Where processes keep together what they use of a quota: in memory, in an SQLite file, in Redis or Valkey."""
