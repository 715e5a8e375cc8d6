-- SPDX-License-Identifier: MIT
-- Where hedged ships its journal to. `hedged --init-db` applies this file, as
-- often as you like; or `psql -v ON_ERROR_STOP=1 -f postgres.sql`. PostgreSQL 13 and up.
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
--
-- Everything goes into the first schema of search_path. Nobody but its owner may CREATE in it: an
-- object of another role there could be taken for one of ours or, when its arguments fit better,
-- for one of the server's. So names of the server are looked up in pg_catalog alone wherever something
-- runs as the owner, and ours are named with their schema.

BEGIN;

SELECT pg_catalog.set_config('hedge.schema',
                             COALESCE(pg_catalog.current_schema()::pg_catalog.text, ''), true),
       pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
       pg_catalog.set_config('timezone', 'UTC', true),
       pg_catalog.set_config('datestyle', 'ISO', true);

DO $$
BEGIN
  IF current_setting('server_version_num')::integer < 130000 THEN
    RAISE EXCEPTION 'PostgreSQL % is too old: it takes 13 or newer', current_setting('server_version');
  END IF;
  IF current_setting('server_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION 'this database is encoded in %, and records hold any text: make one with '
                    'createdb -E UTF8 -T template0', current_setting('server_encoding');
  END IF;
  IF current_setting('hedge.schema') = '' THEN
    RAISE EXCEPTION 'no schema of search_path is there and may be used: CREATE SCHEMA it, or '
                    'GRANT USAGE ON it to %', current_user;
  END IF;
END $$;

SELECT pg_advisory_xact_lock(7450291861); -- one --init-db at a time

-- ---- who may what -------------------------------------------------------------------------------

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hedge_daemon') THEN
    CREATE ROLE hedge_daemon NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- one of another database was quicker; roles belong to all of them
END $$;

-- The daemons' roles use the schema, and cannot put anything into it.
DO $$
DECLARE
  here     text := current_setting('hedge.schema');
  grantee  oid;
  is_owner boolean;
BEGIN
  SELECT g.grantee, g.grantee = n.nspowner INTO grantee, is_owner
    FROM pg_namespace n, aclexplode(COALESCE(n.nspacl, acldefault('n', n.nspowner))) g
   WHERE n.nspname = here AND g.privilege_type = 'CREATE'
     AND (g.grantee = 0 OR EXISTS (SELECT FROM pg_roles r
                                    WHERE pg_has_role(r.oid, 'hedge_daemon', 'USAGE')
                                      AND pg_has_role(r.oid, g.grantee, 'MEMBER')
                                      AND NOT pg_has_role(r.oid, current_user, 'MEMBER')
                                      AND NOT r.rolsuper))
   ORDER BY 1 LIMIT 1;
  IF is_owner THEN
    RAISE EXCEPTION 'a member of hedge_daemon owns the schema %: ALTER SCHEMA % OWNER TO another '
      'role', here, quote_ident(here) USING ERRCODE = 'HE002';
  ELSIF FOUND THEN
    RAISE EXCEPTION 'daemons may put things into the schema %, which can then act as the owner: '
      'REVOKE CREATE ON SCHEMA % FROM %', here, quote_ident(here),
      CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END USING ERRCODE = 'HE002';
  END IF;
  IF NOT has_schema_privilege('hedge_daemon', here, 'USAGE') THEN
    BEGIN
      EXECUTE format('GRANT USAGE ON SCHEMA %I TO hedge_daemon', here);
    EXCEPTION WHEN insufficient_privilege THEN
      NULL;
    END;
    IF NOT has_schema_privilege('hedge_daemon', here, 'USAGE') THEN
      RAISE EXCEPTION 'daemons may not use the schema %: GRANT USAGE ON SCHEMA % TO hedge_daemon, '
        'as its owner', here, quote_ident(here) USING ERRCODE = 'HE002';
    END IF;
  END IF;
END $$;

-- ---- what is there already ----------------------------------------------------------------------

-- CREATE ... IF NOT EXISTS looks at names alone. So whatever has one of our names must be what it
-- would have been made as; what is missing altogether is made below.
DO $$
DECLARE
  here   CONSTANT regnamespace := quote_ident(current_setting('hedge.schema'))::regnamespace;
  common CONSTANT text := 'policy bytea, writer int8, seq int8, record bytea, hash bytea, '
                          'received_at timestamptz';
  answer CONSTANT text := -- ? may be NULL
    'id uuid, ts timestamptz, asset text, amount_usd numeric, score float8, liquidity_depth float8?, '
    'hedge_pct float8, confidence float8, version text, notional_usd float8, status text, '
    'flags text[], override_score float8?, effective_score float8, liquidity_weight float8, '
    'liquidity_quality float8, quote_score float8?, quote_confidence float8?, '
    'previous_score float8?, halted bool, score_ts_ns int8?, depth_ts_ns int8?, '
    'score_age_ns int8, depth_age_ns int8, ts_ns int8, note text, ' || common;
  event  CONSTANT text := 'id uuid, ts timestamptz, kind text, asset text, note text, '
                          'version text, ts_ns int8, ' || common;
  kinds  CONSTANT jsonb := '{"r": "a table", "p": "a partitioned table", "v": "a view", "m": "a '
                           'materialized view", "f": "a foreign table", "S": "a sequence"}';
  faults text[] := '{}';
  owner  oid;
  want   record;
  there  record;
  part   text;
  type   text;
BEGIN
  FOR want IN SELECT to_regclass(format('%s.%I', here, w.name)) AS id, w.*
                FROM (VALUES ('decisions', 'p', 'id,ts', answer),
                             ('shadow_decisions', 'p', 'id,ts', answer),
                             ('events', 'p', 'id,ts', event),
                             ('policies', 'r', 'hash', 'hash bytea, text text, '
                                                       'received_at timestamptz'))
                     AS w(name, kind, keys, columns) LOOP
    CONTINUE WHEN want.id IS NULL;
    SELECT c.relkind, c.relpersistence, c.relispartition, pg_get_partkeydef(c.oid) AS parts
      INTO there FROM pg_class c WHERE c.oid = want.id;
    IF there.relkind <> want.kind THEN
      faults := faults || format('%s is %s, not %s', want.name,
                                 COALESCE(kinds ->> there.relkind::text, 'something else'),
                                 kinds ->> want.kind);
      CONTINUE;
    END IF;
    IF there.parts <> 'RANGE (ts)' THEN
      faults := faults || format('%s is partitioned by %s, not by RANGE (ts)', want.name,
                                 there.parts);
    END IF;
    IF there.relispartition THEN
      faults := faults || format('%s is a partition of another table', want.name);
    END IF;
    IF there.relpersistence <> 'p' THEN
      faults := faults || format('%s is not kept over a crash (unlogged)', want.name);
    END IF;
    FOREACH part IN ARRAY string_to_array(want.columns, ', ') LOOP
      type := rtrim(split_part(part, ' ', 2), '?');
      SELECT a.* INTO there FROM pg_attribute a
       WHERE a.attrelid = want.id AND a.attname = split_part(part, ' ', 1) AND a.attnum > 0
         AND NOT a.attisdropped;
      IF NOT FOUND THEN
        faults := faults || format('%s lacks the column %s', want.name, split_part(part, ' ', 1));
      ELSIF there.atttypid <> type::regtype OR there.atttypmod <> -1 THEN
        faults := faults || format('%s.%s is %s, not %s', want.name, there.attname,
                                   format_type(there.atttypid, there.atttypmod), type::regtype);
      ELSIF there.attnotnull <> (part NOT LIKE '%?') THEN
        faults := faults || format('%s.%s %s be NULL', want.name, there.attname,
                                   CASE WHEN there.attnotnull THEN 'must be able to' ELSE
                                   'must not' END);
      ELSIF there.attname = 'received_at' AND NOT there.atthasdef THEN
        faults := faults || format('%s.%s has no DEFAULT clock_timestamp()', want.name,
                                   there.attname);
      END IF;
    END LOOP;
    FOR there IN SELECT a.attname FROM pg_attribute a
                  WHERE a.attrelid = want.id AND a.attnum > 0 AND NOT a.attisdropped
                    AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
                    AND ', ' || want.columns !~ format(', %s ', a.attname) LOOP
      faults := faults || format('%s.%s is none of ours, and NOT NULL without a default', want.name,
                                 there.attname);
    END LOOP;
    IF (SELECT string_agg(a.attname::text, ',' ORDER BY a.attname)
          FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
         WHERE i.indrelid = want.id AND i.indisprimary AND i.indisvalid AND i.indimmediate)
       IS DISTINCT FROM want.keys THEN
      faults := faults || format('%s lacks its PRIMARY KEY (%s)', want.name, want.keys);
    END IF;
    IF want.name = 'policies' AND NOT EXISTS (
         SELECT FROM pg_constraint k WHERE k.conrelid = want.id AND k.contype = 'c'
            AND k.convalidated AND pg_get_constraintdef(k.oid) =
                'CHECK ((hash = sha256(convert_to(text, ''UTF8''::name))))') THEN
      faults := faults ||
        'policies lacks its CHECK (hash = sha256(convert_to(text, ''UTF8'')))'::text;
    END IF;
  END LOOP;

  -- Partitions, and what has the name of one.
  FOR there IN
    SELECT c.oid::regclass AS id, c.relkind, c.relpersistence, n.parent,
           to_regclass(format('%s.%I', here, n.parent)) IS NOT DISTINCT FROM i.inhparent::regclass
             AS attached, pg_get_expr(c.relpartbound, c.oid) AS bounds,
           CASE WHEN n.month IS NULL THEN 'DEFAULT' ELSE
             format('FOR VALUES FROM (%L) TO (%L)', n.month, n.month + interval '1 month') END AS named
      FROM pg_class c
      LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
      CROSS JOIN LATERAL (
        SELECT p[1] AS parent, make_timestamptz(p[3]::integer, p[4]::integer, 1, 0, 0, 0) AS month
          FROM regexp_match(c.relname, '^(decisions|shadow_decisions|events)_(default|'
                                       '([0-9]{4})_(0[1-9]|1[0-2]))$') AS p
         WHERE c.relnamespace = here) n
     WHERE n.parent IS NOT NULL LOOP
    IF NOT there.attached THEN
      faults := faults || format('%s is %s and no partition of %s: rename it or drop it', there.id,
                                 COALESCE(kinds ->> there.relkind::text, 'something else'),
                                 there.parent);
    ELSIF there.bounds <> there.named THEN
      faults := faults || format('%s holds other times than its name says: %s', there.id,
                                 there.bounds);
    END IF;
  END LOOP;
  FOR there IN
    SELECT c.oid::regclass AS id, c.relkind, c.relpersistence, i.inhparent::regclass AS parent
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
     WHERE p.relnamespace = here AND p.relname IN ('decisions', 'shadow_decisions', 'events')
       AND (c.relkind <> 'r' OR c.relpersistence <> 'p') LOOP
    faults := faults || format('%s, a partition of %s, is %s', there.id, there.parent,
                               CASE there.relkind WHEN 'r' THEN 'not kept over a crash (unlogged)'
                               ELSE COALESCE(kinds ->> there.relkind::text, 'something else') END);
  END LOOP;

  -- One role owns all of it, and it is the one that is here.
  FOR there IN
    SELECT o.* FROM (
      SELECT c.oid::regclass::text AS id, c.relowner AS owner FROM pg_class c
       WHERE c.relnamespace = here AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname ~
             '^((shadow_)?decisions|events)(_[0-9]{4}_[0-9]{2}|_default)?$|^policies$|^chain$'
      UNION ALL
      SELECT p.oid::regprocedure::text, p.proowner FROM pg_proc p
       WHERE p.pronamespace = here AND p.proname ~ '^hedge_') o ORDER BY o.id LOOP
    owner := COALESCE(owner, there.owner);
    IF there.owner <> owner OR NOT pg_has_role(current_user, there.owner, 'USAGE') THEN
      faults := faults || format('%s belongs to %s, and not to %s', there.id, there.owner::regrole,
                                 CASE WHEN there.owner <> owner THEN owner::regrole::text
                                 ELSE current_user::text END);
    END IF;
  END LOOP;

  IF faults <> '{}' THEN
    RAISE EXCEPTION '%', array_to_string(faults, '; ') USING ERRCODE = 'HE002';
  END IF;
  PERFORM set_config('hedge.before',
                     (SELECT COALESCE(array_agg(c.oid), '{}')::text FROM pg_class c
                       WHERE c.relnamespace = here AND c.relkind IN ('r', 'p')), true);
END $$;

SELECT set_config('search_path', format('%I, pg_temp', current_setting('hedge.schema')), true);

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
  received_at       timestamptz      NOT NULL DEFAULT pg_catalog.clock_timestamp(), -- by this server
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
  received_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (id, ts)
) PARTITION BY RANGE (ts);

CREATE INDEX IF NOT EXISTS decisions_chain ON decisions (writer, seq);
CREATE INDEX IF NOT EXISTS shadow_decisions_chain ON shadow_decisions (writer, seq);
CREATE INDEX IF NOT EXISTS events_chain ON events (writer, seq);

-- The canonical text of each policy that a record names, by its SHA-256.
CREATE TABLE IF NOT EXISTS policies (
  hash        bytea       PRIMARY KEY
              CHECK (hash = pg_catalog.sha256(pg_catalog.convert_to(text, 'UTF8'::name))),
  text        text        NOT NULL,
  received_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
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

DROP FUNCTION IF EXISTS hedge_guard(regclass, boolean), hedge_partition(text, text, text);

CREATE OR REPLACE FUNCTION hedge_refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: the log is append-only', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;

-- Sees to it that a table or partition has both triggers, as they should be: returns how many were
-- not. ALWAYS: session_replication_role does not get round them. Row triggers of a table are on its
-- partitions by themselves, and can be disabled there one by one; TRUNCATE knows statement triggers
-- alone, which are on one table each.
CREATE OR REPLACE FUNCTION hedge_guard(guarded regclass, refuse regprocedure) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  want   record;
  there  record;
  mended integer := 0;
BEGIN
  FOR want IN SELECT * FROM (VALUES (27, 'hedge_no_change', 'UPDATE OR DELETE', 'ROW'),
                                    (34, 'hedge_no_truncate', 'TRUNCATE', 'STATEMENT'))
                            AS w(bits, name, events, level) LOOP
    SELECT t.tgname AS name, t.tgenabled = 'A' AS enabled INTO there FROM pg_trigger t
     WHERE t.tgrelid = guarded AND t.tgfoid = refuse AND t.tgtype = want.bits AND t.tgqual IS NULL
       AND t.tgattr::text = '' ORDER BY t.tgenabled = 'A' DESC LIMIT 1;
    CONTINUE WHEN there.enabled;
    IF there.name IS NULL THEN
      there.name := want.name;
      EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', want.name, guarded);
      EXECUTE format('CREATE TRIGGER %I BEFORE %s ON %s FOR EACH %s EXECUTE FUNCTION %s',
                     want.name, want.events, guarded, want.level, refuse);
    END IF;
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', guarded, there.name);
    mended := mended + 1;
  END LOOP;
  RETURN mended;
END $$;

-- hedge.mended: how many triggers of tables that were there had to be put right.
DO $$
DECLARE
  name    text;
  guarded regclass;
  here    integer;
  mended  integer := 0;
BEGIN
  FOREACH name IN ARRAY ARRAY['decisions', 'shadow_decisions', 'events', 'policies'] LOOP
    FOR guarded IN SELECT pg_catalog.to_regclass(name) UNION ALL
                   SELECT i.inhrelid::regclass FROM pg_catalog.pg_inherits i
                    WHERE i.inhparent = pg_catalog.to_regclass(name) LOOP
      here := hedge_guard(guarded, 'hedge_refuse()'::regprocedure);
      IF guarded::oid = ANY (pg_catalog.current_setting('hedge.before')::oid[]) THEN
        mended := mended + here;
      END IF;
    END LOOP;
  END LOOP;
  PERFORM pg_catalog.set_config('hedge.mended', mended::text, false);
END $$;

-- ---- partitions ---------------------------------------------------------------------------------

-- One partition of one table, unless it is there.
CREATE OR REPLACE FUNCTION hedge_partition(parent regclass, name text, bounds text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  here regnamespace := (SELECT c.relnamespace FROM pg_class c WHERE c.oid = parent);
  made text := format('%s.%I', here, name);
BEGIN
  IF to_regclass(made) IS NOT NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('CREATE TABLE %s PARTITION OF %s %s', made, parent, bounds);
  EXECUTE format('SELECT %s.hedge_guard($1, $2)', here)
    USING made::regclass, format('%s.hedge_refuse()', here)::regprocedure;
  RETURN true;
END $$;

-- The partitions of last month, of this one and of `months` ahead, in UTC. Each table also has a
-- default partition, for a clock that is far off and for months that nobody made in time; a month
-- of which it holds rows already stays in it. Making one takes the whole table for a moment: behind
-- a long query that fails after two seconds, rather than hold up everybody else, and is tried again.
-- Returns how many were made. More than two years ahead is refused: every query of the tables locks
-- each partition, and the server has room for so many locks.
CREATE OR REPLACE FUNCTION hedge_make_partitions_in(here regnamespace, months integer)
RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
                 SET lock_timeout = '2s' AS $$
DECLARE
  parent text;
  month  timestamptz;
  until  timestamptz;
  name   text;
  sql    text := format('SELECT %s.hedge_partition($1, $2, $3)', here);
  taken  boolean;
  new    boolean;
  made   integer := 0;
BEGIN
  IF months IS NULL OR months NOT BETWEEN 0 AND 24 THEN
    RAISE EXCEPTION 'hedge_make_partitions: months is %, and must be from 0 to 24',
      COALESCE(months::text, 'NULL') USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM pg_advisory_xact_lock(7450291861);
  FOREACH parent IN ARRAY ARRAY['decisions', 'shadow_decisions', 'events'] LOOP
    EXECUTE sql INTO new USING format('%s.%I', here, parent)::regclass, parent || '_default',
                               'DEFAULT'::text;
    made := made + new::integer;
    FOR month IN SELECT generate_series(date_trunc('month', now()) - interval '1 month',
                                        date_trunc('month', now()) + make_interval(months => months),
                                        interval '1 month') LOOP
      name := parent || to_char(month, '_YYYY_MM');
      CONTINUE WHEN to_regclass(format('%s.%I', here, name)) IS NOT NULL;
      until := month + interval '1 month';
      EXECUTE format('SELECT EXISTS (SELECT FROM %s.%I WHERE ts >= %L AND ts < %L)',
                     here, parent || '_default', month, until) INTO taken;
      CONTINUE WHEN taken;
      BEGIN
        EXECUTE sql INTO new USING format('%s.%I', here, parent)::regclass, name,
                                   format('FOR VALUES FROM (%L) TO (%L)', month, until);
        made := made + new::integer;
      EXCEPTION WHEN check_violation THEN
        NULL; -- such a row came in between
      END;
    END LOOP;
  END LOOP;
  RETURN made;
END $$;

-- The same for the daemon, which calls it when it connects and once a day: it runs as its owner, in
-- the schema that it was made for. After ALTER SCHEMA ... RENAME it takes --init-db again.
DO $$
DECLARE
  here text := pg_catalog.current_setting('hedge.schema');
BEGIN
  EXECUTE pg_catalog.format(
    'CREATE OR REPLACE FUNCTION %I.hedge_make_partitions(months integer DEFAULT 3) RETURNS integer '
    'LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L', here,
    pg_catalog.format('BEGIN RETURN %I.hedge_make_partitions_in(%L::regnamespace, months); END', here,
                      pg_catalog.quote_ident(here)));
END $$;

SELECT hedge_make_partitions(3::integer);

-- ---- rights -------------------------------------------------------------------------------------

REVOKE ALL ON decisions, shadow_decisions, events, policies, chain FROM PUBLIC, hedge_daemon;
REVOKE ALL ON FUNCTION hedge_make_partitions(integer), hedge_refuse(),
                       hedge_make_partitions_in(regnamespace, integer),
                       hedge_guard(regclass, regprocedure), hedge_partition(regclass, text, text),
                       hedge_check(bigint, bigint, bigint, bytea, bigint, bigint, bigint,
                                   bigint, bigint, bytea)
  FROM PUBLIC, hedge_daemon;
GRANT SELECT, INSERT ON decisions, shadow_decisions, events, policies TO hedge_daemon;
GRANT SELECT ON chain TO hedge_daemon;
GRANT EXECUTE ON FUNCTION hedge_make_partitions(integer),
                          hedge_check(bigint, bigint, bigint, bytea, bigint, bigint, bigint,
                                      bigint, bigint, bytea)
  TO hedge_daemon;

COMMIT;

SELECT pg_catalog.current_setting('hedge.mended') AS triggers_put_right;
