-- The tables of sweep.db, schema 6. Each statement runs at every start of a run and makes what is missing.
-- The view `results` depends on spe.yaml and is made by schema.py. Times of day are seconds since 1970,
-- durations are seconds, sizes are bytes.

-- Settings of the sweep and of its last run, as texts:
--   schema              version of these tables
--   plan                number of the newest reading of the parameters
--   read                digest of that reading once it has come to its end, else ''
--   parameters, results, numeric   JSON lists of names; numeric: parameters that are numbers in all sets
--   kinds               JSON object: result -> kind
--   spec, eras, extracted, extractions   extraction of results again, see stored.py
--   out                 tasks that have a slot now
--   workers, program, agreed, replacing   programs of earlier runs and what is to be done about their results
--   made, line, used    how the sweep was made and when it was last run, see sweep/folders.py
--   adding              sets that people have added to a running sweep, see decisions.py
--   tables              what the tables in the folder were made of
--   gathers, steering, waiting_because, cores   of the last run: collect functions, orders of people, why it ended
--                       with sets that wait, cores of a task
--   retry_after         of the last run: seconds between a failed attempt of a set and its next one
--   spe                 version of the spe that began the last run; databases of schema 6 may be older than it
--   tickets_before, clients_before   last ticket and last client of the runs before the last one
--   closed              last ticket of the sessions that have ended
--   legacy, filled, stdout_from   the database was made before schema 6; what has been brought up to it since
CREATE TABLE IF NOT EXISTS meta (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

-- One row a parameter set that was ever among the parameters.
-- States:
--   waiting    to be handed out, also while a ticket of the task is out: the ticket tells that it runs, so that one
--              row less is written for each task
--   done       its result is in `outputs`
--   failed     all attempts went wrong, or today's `results` refuses what is stored
--   cancelled  by hand
CREATE TABLE IF NOT EXISTS tasks (
  number INTEGER NOT NULL PRIMARY KEY,
  -- Digest of what the set computes, without the worker.
  key BLOB NOT NULL UNIQUE,
  -- The newest reading of the parameters that has the set, and the set's place in that reading.
  plan INTEGER NOT NULL,
  position INTEGER NOT NULL,
  -- A JSON object of texts.
  parameters TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  lost INTEGER NOT NULL,
  reason TEXT,
  -- JSON object: reason class -> attempts.
  faults TEXT,
  -- The attempt whose result is kept: of a done set its row in the table, of a waiting set the row that stands until
  -- a new result replaces it (--fresh, --missing), of a failed set a result that was refused later.
  ticket INTEGER,
  -- 1: the gather hooks have been called; 2: one of them went wrong.
  collected INTEGER,
  -- Row of `specs` by which the outputs were extracted; NULL: before schema 6.
  spec INTEGER
);

-- Waiting and failed sets alone are looked up by their place, so both indexes shrink as the sweep goes on.
CREATE INDEX IF NOT EXISTS waiting ON tasks (plan, position) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS failed ON tasks (plan, position) WHERE state = 'failed';

-- One row an attempt.
-- States:
--   issued    out on a host
--   accepted  its result is kept
--   rejected  its result was refused by `results` or a hook
--   failed    the program went wrong
--   lost      its host or client is gone
--   expired   not counted as an attempt: given back, ended with its run, or another copy was faster
CREATE TABLE IF NOT EXISTS tickets (
  id INTEGER NOT NULL PRIMARY KEY,
  task INTEGER NOT NULL,
  client TEXT NOT NULL,
  host TEXT NOT NULL,
  state TEXT NOT NULL,
  issued FLOAT NOT NULL,
  -- Wall time, and processor time in user and system mode.
  seconds FLOAT,
  user FLOAT,
  system FLOAT,
  memory INTEGER,
  exit_code INTEGER,
  reason TEXT,
  -- Bytes from and to storage; NULL where the system does not tell.
  read INTEGER,
  written INTEGER,
  -- Row of `programs`: what the attempt ran; NULL: not recorded, before schema 6.
  program INTEGER
);

CREATE INDEX IF NOT EXISTS tickets_of ON tickets (task);

-- What attempts printed. No row: nothing was printed and nothing was left.
CREATE TABLE IF NOT EXISTS logs (
  ticket INTEGER NOT NULL PRIMARY KEY,
  stdout BLOB,
  stderr BLOB,
  -- Files in the directory of an attempt that failed: lines as in docs/protocol.md.
  files TEXT
);

CREATE TABLE IF NOT EXISTS outputs (
  task INTEGER NOT NULL,
  name TEXT NOT NULL,
  -- The cell of the table.
  value TEXT NOT NULL,
  -- The bytes where they are not the cell and one newline, or the file that holds them, below this folder.
  raw BLOB,
  file TEXT,
  size INTEGER NOT NULL,
  -- Of `as: int` and `as: float`: the value as SQLite computes with it. BLOB is the one affinity that converts
  -- nothing: a number stays a number, the text of an integer beyond 64 bits a text.
  number BLOB,
  PRIMARY KEY (task, name)
) WITHOUT ROWID;

-- Programs that tickets ran, each once. parts: JSON object, file of the worker or program among the inputs -> SHA-256.
CREATE TABLE IF NOT EXISTS programs (
  id INTEGER NOT NULL PRIMARY KEY,
  parts TEXT NOT NULL UNIQUE
);

-- Commands that sets were made from: the newest row up to the `plan` of a set is that of the set. command: JSON object,
-- see earlier/kept_command.py. Databases of schema 6 may be older than this table.
CREATE TABLE IF NOT EXISTS commands (
  plan INTEGER NOT NULL PRIMARY KEY,
  command TEXT NOT NULL
);

-- Every `results` of spe.yaml that outputs were extracted by: a JSON list of objects, see results/extraction.py.
CREATE TABLE IF NOT EXISTS specs (
  id INTEGER NOT NULL PRIMARY KEY,
  results TEXT NOT NULL UNIQUE
);

-- What programs wrote and no result of today is made of: bytes for a later `results`.
CREATE TABLE IF NOT EXISTS kept (
  task INTEGER NOT NULL,
  -- stdout, or a file in the task's directory.
  source TEXT NOT NULL,
  raw BLOB,
  -- Below this folder, in place of raw.
  file TEXT,
  size INTEGER NOT NULL,
  PRIMARY KEY (task, source)
) WITHOUT ROWID;

-- Files of a result that replaced another one: they get their places after the commit that speaks of them.
-- moves: JSON object, place -> where the file lies, both below this folder.
CREATE TABLE IF NOT EXISTS staged (
  task INTEGER NOT NULL PRIMARY KEY,
  moves TEXT NOT NULL
);

-- Finished sets whose row has an empty cell: what a result of today is made of was not stored.
CREATE TABLE IF NOT EXISTS gaps (
  task INTEGER NOT NULL PRIMARY KEY
);

CREATE TABLE IF NOT EXISTS clients (
  id TEXT NOT NULL PRIMARY KEY,
  host TEXT NOT NULL,
  platform TEXT NOT NULL,
  slots INTEGER NOT NULL,
  -- 1: silence of the client means that it is lost.
  pings INTEGER NOT NULL,
  since FLOAT NOT NULL,
  -- How long the client was there; NULL: it has not left.
  seconds FLOAT,
  -- The last word of the client.
  heard FLOAT
);

-- Notes of all runs for people; the newest 100,000 are kept. Databases of schema 6 may be older than this table.
CREATE TABLE IF NOT EXISTS events (
  id INTEGER NOT NULL PRIMARY KEY,
  time FLOAT NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  host TEXT,
  task INTEGER
);

-- Two tables that count along, kept by the triggers below: whoever writes a state counts it in the same transaction,
-- and whoever wants a number does not read a million rows.
CREATE TABLE IF NOT EXISTS counts (
  plan INTEGER NOT NULL,
  state TEXT NOT NULL,
  sets INTEGER NOT NULL,
  PRIMARY KEY (plan, state)
) WITHOUT ROWID;

-- Of the last run alone: emptied when a run begins, see sessions.py.
CREATE TABLE IF NOT EXISTS hosts (
  host TEXT NOT NULL PRIMARY KEY,
  -- Retries: tickets of tasks of which an earlier attempt of this run had gone wrong.
  again INTEGER NOT NULL,
  accepted INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  lost INTEGER NOT NULL,
  seconds FLOAT NOT NULL,
  cpu FLOAT NOT NULL
);

CREATE TRIGGER IF NOT EXISTS set_came AFTER INSERT ON tasks BEGIN
  INSERT INTO counts VALUES (NEW.plan, NEW.state, 1) ON CONFLICT (plan, state) DO UPDATE SET sets = sets + 1;
END;

CREATE TRIGGER IF NOT EXISTS set_moved AFTER UPDATE OF plan, state ON tasks
WHEN NEW.state <> OLD.state OR NEW.plan <> OLD.plan BEGIN
  UPDATE counts SET sets = sets - 1 WHERE plan = OLD.plan AND state = OLD.state;
  INSERT INTO counts VALUES (NEW.plan, NEW.state, 1) ON CONFLICT (plan, state) DO UPDATE SET sets = sets + 1;
END;

-- A ticket is a retry when an earlier attempt of this run has gone wrong and none is out: else it is a copy.
-- SQLite has no name for an expression of a trigger, so this one stands below three times. The plus keeps its term
-- from the index: the term is then evaluated only for a task that had attempts, and almost none had.

-- Almost every ticket is the first one of its task, on a host that is known: nothing is written then.
CREATE TRIGGER IF NOT EXISTS ticket_came AFTER INSERT ON tickets
WHEN (
  EXISTS (
    SELECT 1 FROM tickets WHERE task = NEW.task AND id < NEW.id AND state IN ('failed', 'rejected', 'lost')
    AND +id > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'tickets_before'), 0)
  )
  AND NOT EXISTS (SELECT 1 FROM tickets WHERE task = NEW.task AND id < NEW.id AND state = 'issued')
)
OR NOT EXISTS (SELECT 1 FROM hosts WHERE host = NEW.host)
BEGIN
  INSERT INTO hosts VALUES (
    NEW.host,
    EXISTS (
      SELECT 1 FROM tickets WHERE task = NEW.task AND id < NEW.id AND state IN ('failed', 'rejected', 'lost')
      AND +id > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'tickets_before'), 0)
    )
    AND NOT EXISTS (SELECT 1 FROM tickets WHERE task = NEW.task AND id < NEW.id AND state = 'issued'),
    0, 0, 0, 0.0, 0.0
  )
  ON CONFLICT (host) DO UPDATE SET again = again + excluded.again;
END;

-- A ticket of an earlier run that was not taken back at the end of that run is none of this one's. A ticket that is
-- out now is of this run, so the setting is not read for almost all of them. 'given back, not begun' is
-- dispatch/changes.py's UNBEGUN: such a ticket was no attempt.
CREATE TRIGGER IF NOT EXISTS ticket_ended AFTER UPDATE OF state ON tickets
WHEN OLD.state = 'issued'
OR NEW.id > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'tickets_before'), 0)
BEGIN
  UPDATE hosts SET
    again = again - CASE WHEN NEW.state = 'expired' AND NEW.reason = 'given back, not begun' THEN
      EXISTS (
        SELECT 1 FROM tickets WHERE task = NEW.task AND id < NEW.id AND state IN ('failed', 'rejected', 'lost')
        AND +id > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'tickets_before'), 0)
      )
      AND NOT EXISTS (SELECT 1 FROM tickets WHERE task = NEW.task AND id < NEW.id AND state = 'issued')
    ELSE 0 END,
    accepted = accepted + (NEW.state = 'accepted') - (OLD.state = 'accepted'),
    failures = failures + (NEW.state IN ('failed', 'rejected')) - (OLD.state IN ('failed', 'rejected')),
    lost = lost + (NEW.state = 'lost') - (OLD.state = 'lost'),
    seconds = seconds + coalesce(NEW.seconds, 0.0) - coalesce(OLD.seconds, 0.0),
    cpu = cpu + coalesce(NEW.user, 0.0) + coalesce(NEW.system, 0.0)
      - coalesce(OLD.user, 0.0) - coalesce(OLD.system, 0.0)
  WHERE host = NEW.host;
END;
