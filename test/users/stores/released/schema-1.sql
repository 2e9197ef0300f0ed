-- The users file as the releases with schema 1 make it. Never edit it: files like this are in use.
CREATE TABLE users (
  user_id               INTEGER PRIMARY KEY CHECK (user_id BETWEEN 1 AND 4294967295),
  username              TEXT NOT NULL,
  username_key          TEXT NOT NULL UNIQUE,
  email                 TEXT,
  email_key             TEXT UNIQUE,
  password_hash         TEXT,
  request_id            TEXT UNIQUE,
  request_fingerprint   TEXT,
  request_expires_at_ms INTEGER
) STRICT;
CREATE INDEX users_by_request_expiry ON users (request_expires_at_ms)
  WHERE request_expires_at_ms IS NOT NULL;
PRAGMA user_version = 1;
