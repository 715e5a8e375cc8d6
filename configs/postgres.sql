-- SPDX-License-Identifier: MIT
-- Where hedged ships its journal to. `hedged --init-db` applies this file, as
-- often as you like; or `psql -v ON_ERROR_STOP=1 -1 -f postgres.sql`. PostgreSQL 13 and up.
--
-- Every record of every daemon is one row, in one of three tables:
--   decisions         what was answered, rejections too
--   shadow_decisions  what HEDGE_SHADOW_POLICY would have answered to the decision before it
--   events            starts, stops, policies, halts: what changed how it decides
-- `chain` is all of them. (writer, seq) numbers the records of one journal without gaps, `record`
-- is the canonical bytes of docs/journal.md, and `hash` is SHA-256(hash of seq - 1 || record), so
-- that nothing can be changed, removed or put in without `hedge verify --db` naming it. All other
-- columns repeat what stands in `record`, for people and for SQL.
--
-- Rows can be added and read, and nothing else: triggers refuse UPDATE, DELETE and TRUNCATE, to
-- their owner too. Whoever owns the tables can still drop them or the triggers: let a role own
-- them that nobody uses day by day, and the daemon log in as a member of hedge_daemon.

-- ---- who may what -------------------------------------------------------------------------------

DO $$
BEGIN
  IF current_setting('server_version_num')::integer < 130000 THEN
    RAISE EXCEPTION 'PostgreSQL % is too old: it takes 13 or newer', current_setting('server_version');
  END IF;
  IF current_setting('server_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION 'this database is encoded in %, and records hold any text: make one with '
                    'createdb -E UTF8 -T template0', current_setting('server_encoding');
  END IF;
END $$;

SELECT pg_advisory_xact_lock(7450291861); -- one --init-db at a time

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hedge_daemon') THEN
    CREATE ROLE hedge_daemon NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- one of another database was quicker; roles belong to all of them
END $$;

-- ---- tables -------------------------------------------------------------------------------------

-- A partitioned table's keys must hold the column it is partitioned by, hence (id, ts): id alone is
-- unique too, since it is made of (writer, seq), and the shipper sees to it that each is sent once.
CREATE TABLE IF NOT EXISTS decisions (
  id                uuid             NOT NULL, -- the decision_id of the answer
  ts                timestamptz      NOT NULL, -- of the decision; ts_ns has all its digits
  asset             text             NOT NULL,
  amount_usd        numeric          NOT NULL, -- as asked
  score             double precision NOT NULL, -- the score used: the quote's, or the override
  liquidity_depth   double precision,          -- USD within 1 % of the mid price; NULL: none yet
  hedge_pct         double precision NOT NULL, -- 0 on a rejection, as all that follows from it
  confidence        double precision NOT NULL,
  version           text             NOT NULL, -- the build that decided
  notional_usd      double precision NOT NULL,
  status            text             NOT NULL, -- ok, or the breaker that rejected
  flags             text[]           NOT NULL, -- breakers that tripped, and override, floor, capped
  override_score    double precision,          -- NULL: none was given
  effective_score   double precision NOT NULL,
  liquidity_weight  double precision NOT NULL,
  liquidity_quality double precision NOT NULL,
  quote_score       double precision,          -- what the market said; NULL: nothing yet
  quote_confidence  double precision,
  previous_score    double precision,
  halted            boolean          NOT NULL,
  score_ts_ns       bigint,
  depth_ts_ns       bigint,
  score_age_ns      bigint           NOT NULL,
  depth_age_ns      bigint           NOT NULL,
  ts_ns             bigint           NOT NULL, -- nanoseconds since the Unix epoch
  note              text             NOT NULL,
  policy            bytea            NOT NULL, -- policies.hash
  writer            bigint           NOT NULL,
  seq               bigint           NOT NULL,
  record            bytea            NOT NULL,
  hash              bytea            NOT NULL,
  received_at       timestamptz      NOT NULL DEFAULT clock_timestamp(), -- by this server
  PRIMARY KEY (id, ts)
) PARTITION BY RANGE (ts);

CREATE TABLE IF NOT EXISTS shadow_decisions (LIKE decisions INCLUDING DEFAULTS, PRIMARY KEY (id, ts))
  PARTITION BY RANGE (ts);

CREATE TABLE IF NOT EXISTS events (
  id          uuid        NOT NULL,
  ts          timestamptz NOT NULL,
  kind        text        NOT NULL, -- start, stop, policy, policy_refused, shadow_policy, halt, resume
  asset       text        NOT NULL, -- '' where none
  note        text        NOT NULL,
  version     text        NOT NULL,
  ts_ns       bigint      NOT NULL,
  policy      bytea       NOT NULL,
  writer      bigint      NOT NULL,
  seq         bigint      NOT NULL,
  record      bytea       NOT NULL,
  hash        bytea       NOT NULL,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (id, ts)
) PARTITION BY RANGE (ts);

CREATE INDEX IF NOT EXISTS decisions_chain ON decisions (writer, seq);
CREATE INDEX IF NOT EXISTS shadow_decisions_chain ON shadow_decisions (writer, seq);
CREATE INDEX IF NOT EXISTS events_chain ON events (writer, seq);

-- The canonical text of each policy that a record names, by its SHA-256.
CREATE TABLE IF NOT EXISTS policies (
  hash        bytea       PRIMARY KEY CHECK (hash = sha256(convert_to(text, 'UTF8'))),
  text        text        NOT NULL,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Every record of every writer; ORDER BY writer, seq is its chain.
CREATE OR REPLACE VIEW chain AS
  SELECT writer, seq, 'decision' AS kind, id, ts_ns, asset, record, hash, ts FROM decisions
  UNION ALL
  SELECT writer, seq, 'shadow', id, ts_ns, asset, record, hash, ts FROM shadow_decisions
  UNION ALL
  SELECT writer, seq, kind, id, ts_ns, asset, record, hash, ts FROM events;

-- What the shipper ends each transaction with. If it raises anything, the transaction is undone.
-- HE002: the record that was the newest one so far, before_seq (0: there was none), is no longer
--        there with its hash: rows were removed, or an older state was restored.
-- HE003: fewer than expected of the records of a writer from first_seq to last_seq, made between two
--        times, are there: something drops rows.
-- HE001: more are there, or the last one not once with that hash; if it is, by the chain all before
--        it are the writer's own, too.
DROP FUNCTION IF EXISTS hedge_check(bigint, bigint, bigint, bigint, bigint, bigint, bytea);
CREATE OR REPLACE FUNCTION hedge_check(of_writer bigint, before_seq bigint, before_ts_ns bigint,
                                       before_hash bytea, first_seq bigint, last_seq bigint,
                                       first_ts_ns bigint, last_ts_ns bigint, expected bigint,
                                       last_hash bytea) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  lowest   bigint := CASE before_seq WHEN 0 THEN first_seq ELSE before_seq END;
  earliest timestamptz := to_timestamp(least(before_ts_ns, first_ts_ns) / 1000000000 - 1);
  latest   timestamptz := to_timestamp(greatest(before_ts_ns, last_ts_ns) / 1000000000 + 1);
  before   bigint;
  there    bigint;
  same     bigint;
  other    bigint;
BEGIN
  SELECT count(*) FILTER (WHERE seq = before_seq AND hash = before_hash),
         count(*) FILTER (WHERE seq >= first_seq),
         count(*) FILTER (WHERE seq = last_seq AND hash = last_hash),
         count(*) FILTER (WHERE seq = last_seq AND hash <> last_hash)
    INTO before, there, same, other
    FROM chain
   WHERE writer = of_writer AND seq BETWEEN lowest AND last_seq AND ts BETWEEN earliest AND latest;
  IF before_seq <> 0 AND before = 0 THEN
    RAISE EXCEPTION 'record % of writer % is no longer there, or with another hash: rows were removed '
                    'or an older state was restored', before_seq, to_hex(of_writer)
      USING ERRCODE = 'HE002';
  END IF;
  IF there < expected AND other = 0 THEN
    RAISE EXCEPTION 'of % records from % to % of writer % the database took and holds %: a trigger or '
                    'rule drops them', expected, first_seq, last_seq, to_hex(of_writer), there
      USING ERRCODE = 'HE003';
  END IF;
  IF there <> expected OR same <> 1 THEN
    RAISE EXCEPTION 'of % records from % to % of writer % the database holds %, and the last one %',
      expected, first_seq, last_seq, to_hex(of_writer), there,
      CASE same WHEN 1 THEN 'once' WHEN 0 THEN 'not or with another hash' ELSE 'more than once' END
      USING ERRCODE = 'HE001';
  END IF;
END $$;

-- ---- append only --------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION hedge_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: the log is append-only', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;

-- Row triggers reach every partition; TRUNCATE knows statement triggers alone, which do not, so
-- each partition gets its own.
CREATE OR REPLACE FUNCTION hedge_guard(guarded regclass, row_too boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF row_too AND NOT EXISTS (SELECT FROM pg_trigger
                             WHERE tgrelid = guarded AND tgname = 'hedge_no_change') THEN
    EXECUTE format('CREATE TRIGGER hedge_no_change BEFORE UPDATE OR DELETE ON %s
                    FOR EACH ROW EXECUTE FUNCTION hedge_refuse()', guarded);
  END IF;
  IF NOT EXISTS (SELECT FROM pg_trigger
                 WHERE tgrelid = guarded AND tgname = 'hedge_no_truncate') THEN
    EXECUTE format('CREATE TRIGGER hedge_no_truncate BEFORE TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION hedge_refuse()', guarded);
  END IF;
END $$;

SELECT hedge_guard('decisions', true), hedge_guard('shadow_decisions', true),
       hedge_guard('events', true), hedge_guard('policies', true);

-- ---- partitions ---------------------------------------------------------------------------------

-- One partition of one table, unless it is there.
CREATE OR REPLACE FUNCTION hedge_partition(parent text, name text, bounds text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass(quote_ident(name)) IS NOT NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('CREATE TABLE %I PARTITION OF %I %s', name, parent, bounds);
  PERFORM hedge_guard(quote_ident(name)::regclass, false);
  RETURN true;
END $$;

-- The partitions of last month, of this one and of `months` ahead, in UTC; the daemon calls it when
-- it connects and once a day. Each table also has a default partition, for a clock that is far off
-- and for months that nobody made in time; a month of which it holds rows already stays in it.
-- Making one takes the whole table for a moment: behind a long query that fails after two seconds,
-- rather than hold up everybody else, and is tried again. Returns how many were made.
CREATE OR REPLACE FUNCTION hedge_make_partitions(months integer DEFAULT 3) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
  parent text;
  month  timestamptz;
  until  timestamptz;
  name   text;
  taken  boolean;
  made   integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(7450291861);
  FOREACH parent IN ARRAY ARRAY['decisions', 'shadow_decisions', 'events'] LOOP
    IF hedge_partition(parent, parent || '_default', 'DEFAULT') THEN
      made := made + 1;
    END IF;
    FOR month IN SELECT generate_series(date_trunc('month', now()) - interval '1 month',
                                        date_trunc('month', now()) + make_interval(months => months),
                                        interval '1 month') LOOP
      name := parent || to_char(month, '_YYYY_MM');
      CONTINUE WHEN to_regclass(quote_ident(name)) IS NOT NULL;
      until := month + interval '1 month';
      EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE ts >= %L AND ts < %L)',
                     parent || '_default', month, until) INTO taken;
      CONTINUE WHEN taken;
      BEGIN
        IF hedge_partition(parent, name, format('FOR VALUES FROM (%L) TO (%L)', month, until)) THEN
          made := made + 1;
        END IF;
      EXCEPTION WHEN check_violation THEN
        NULL; -- such a row came in between
      END;
    END LOOP;
  END LOOP;
  RETURN made;
END $$;

-- It runs as its owner, so it must not look where a caller could put something of the same name.
DO $$
BEGIN
  EXECUTE format('ALTER FUNCTION hedge_make_partitions(integer) SET search_path = %I, pg_temp',
                 current_schema());
END $$;

SELECT hedge_make_partitions();

-- ---- rights -------------------------------------------------------------------------------------

REVOKE ALL ON decisions, shadow_decisions, events, policies, chain FROM PUBLIC;
REVOKE ALL ON FUNCTION hedge_make_partitions(integer), hedge_guard(regclass, boolean),
                       hedge_partition(text, text, text),
                       hedge_check(bigint, bigint, bigint, bytea, bigint, bigint, bigint,
                                   bigint, bigint, bytea)
  FROM PUBLIC;
GRANT SELECT, INSERT ON decisions, shadow_decisions, events, policies TO hedge_daemon;
GRANT SELECT ON chain TO hedge_daemon;
GRANT EXECUTE ON FUNCTION hedge_make_partitions(integer),
                          hedge_check(bigint, bigint, bigint, bytea, bigint, bigint, bigint,
                                      bigint, bigint, bytea)
  TO hedge_daemon;
