-- +goose Up
create schema if not exists attune;
comment on schema attune is 'Sensors, events, rules and enforcements of the Attune platform.';

create table attune.pack_archive (
    digest  text        primary key check (digest ~ '^[0-9a-f]{64}$'),
    content bytea       not null,
    created timestamptz not null default now()
);
comment on table attune.pack_archive is 'Files of packs, as workers unpack them to run sensor code. One row per distinct content.';
comment on column attune.pack_archive.digest is 'SHA-256 of content, in hex.';
comment on column attune.pack_archive.content is 'A gzipped tar of the pack''s code: its folder without the definitions.';
comment on column attune.pack_archive.created is 'When this content was first applied.';

create table attune.pack (
    id          bigint      generated always as identity primary key,
    ref         text        not null unique check (ref ~ '^[a-z0-9_-]+$'),
    label       text        not null,
    description text        not null default '',
    version     text        not null default '',
    digest      text        not null references attune.pack_archive (digest),
    created     timestamptz not null default now(),
    updated     timestamptz not null default now()
);
comment on table attune.pack is 'A folder of triggers, sensors, rules and sensor code, applied together.';
comment on column attune.pack.id is 'Internal key.';
comment on column attune.pack.ref is 'Public key; the part before the first dot of the refs of everything in the pack.';
comment on column attune.pack.label is 'Name for people.';
comment on column attune.pack.description is 'What the pack is for.';
comment on column attune.pack.version is 'Version that the author gave it, free text.';
comment on column attune.pack.digest is 'The pack''s code when it was last applied.';
comment on column attune.pack.created is 'When the pack was first applied.';
comment on column attune.pack.updated is 'When an apply last changed the pack.';

create table attune.trigger (
    id           bigint      generated always as identity primary key,
    ref          text        not null unique check (ref ~ '^[a-z0-9_-]+\.[a-z0-9_.-]+$'),
    pack         bigint      not null references attune.pack (id) on delete cascade,
    label        text        not null,
    description  text        not null default '',
    enabled      boolean     not null default true,
    param_schema jsonb,
    out_schema   jsonb,
    ruleset      bigint      not null default 0,
    created      timestamptz not null default now(),
    updated      timestamptz not null default now()
);
comment on table attune.trigger is 'A named kind of event.';
comment on column attune.trigger.id is 'Internal key.';
comment on column attune.trigger.ref is 'Public key, pack.name.';
comment on column attune.trigger.pack is 'The pack that defines it.';
comment on column attune.trigger.label is 'Name for people.';
comment on column attune.trigger.description is 'What happened when this event occurs.';
comment on column attune.trigger.enabled is 'False: its sensors do not run and nothing can be emitted for it.';
comment on column attune.trigger.param_schema is 'JSON Schema that the config of every sensor of this trigger satisfies; null: any.';
comment on column attune.trigger.out_schema is 'JSON Schema of the payload; null: any payload.';
comment on column attune.trigger.ruleset is 'Counts the changes of the rules of this trigger, so that a worker knows when what it compiled is out of date.';
comment on column attune.trigger.created is 'When the trigger was first applied.';
comment on column attune.trigger.updated is 'When an apply last changed the trigger.';

create table attune.sensor (
    id                   bigint      generated always as identity primary key,
    ref                  text        not null unique check (ref ~ '^[a-z0-9_-]+\.[a-z0-9_.-]+$'),
    pack                 bigint      not null references attune.pack (id) on delete cascade,
    label                text        not null,
    description          text        not null default '',
    entrypoint           text        not null default '',
    runtime_ref          text        not null,
    trigger              bigint      not null references attune.trigger (id),
    trigger_ref          text        not null,
    other_trigger_refs   text[]      not null default '{}' check (trigger_ref <> all (other_trigger_refs)),
    enabled              boolean     not null default true,
    param_schema         jsonb,
    config               jsonb       not null default '{}',
    poll_interval        interval    check (poll_interval > interval '0'),
    timeout              interval    check (timeout > interval '0'),
    max_restart_attempts integer     check (max_restart_attempts > 0),
    restart_on_error     boolean,
    dedupe_ttl           interval    check (dedupe_ttl > interval '0'),
    mode                 text        not null default 'poll' check (mode in ('poll', 'stream')),
    queue                text        check (queue <> ''),
    sandbox              text        check (sandbox in ('auto', 'bwrap', 'none')),
    network              text        check (network in ('none')),
    warm                 boolean,
    limits               jsonb       not null default '{}' check (jsonb_typeof(limits) = 'object'),
    version              bigint      not null default 1,
    created              timestamptz not null default now(),
    updated              timestamptz not null default now()
);
create index sensor_pack on attune.sensor (pack);
create index sensor_trigger on attune.sensor (trigger);
comment on table attune.sensor is 'What watches for a trigger: code in a runtime, or a built-in.';
comment on column attune.sensor.id is 'Internal key.';
comment on column attune.sensor.ref is 'Public key, pack.name; its workflow is sensor:<ref>.';
comment on column attune.sensor.pack is 'The pack that defines it.';
comment on column attune.sensor.label is 'Name for people.';
comment on column attune.sensor.description is 'What it watches.';
comment on column attune.sensor.entrypoint is 'File that the runtime runs, relative to the pack''s folder.';
comment on column attune.sensor.runtime_ref is 'What runs it: core.python3, core.nodejs, core.exec.';
comment on column attune.sensor.trigger is 'The trigger that its events are of, unless they say otherwise.';
comment on column attune.sensor.trigger_ref is 'Ref of that trigger.';
comment on column attune.sensor.other_trigger_refs is 'Refs of further triggers that single events may be of, as the sensor''s code says.';
comment on column attune.sensor.enabled is 'What the pack''s file says; an operator''s stop is in sensor_state.stopped.';
comment on column attune.sensor.param_schema is 'JSON Schema of config; null: any.';
comment on column attune.sensor.config is 'Parameters of the sensor''s code. Secrets are references, never values.';
comment on column attune.sensor.poll_interval is 'Time between polls; null: the worker''s default.';
comment on column attune.sensor.timeout is 'Longest duration of a poll; null: the worker''s default.';
comment on column attune.sensor.max_restart_attempts is 'Consecutive failures after which it is failed; null: the worker''s default.';
comment on column attune.sensor.restart_on_error is 'False: the first failure is final; null: the worker''s default.';
comment on column attune.sensor.dedupe_ttl is 'How long the key of an event suppresses others with the same key; null: the worker''s default.';
comment on column attune.sensor.mode is 'poll: its code is run again and again, and ends each time; stream: it is run once and goes on for ever.';
comment on column attune.sensor.queue is 'Which workers poll it: those that listen on this queue; null: on the queue of its runtime.';
comment on column attune.sensor.sandbox is 'What its code is contained by; null: auto, the best that works.';
comment on column attune.sensor.network is 'none: its code has no network; null: that of the worker.';
comment on column attune.sensor.warm is 'False: a process of its own for each poll; null: the process stays up between polls where the runtime can.';
comment on column attune.sensor.limits is 'What its processes may take: cpu (nanoseconds), memory and output (bytes), open_files, processes; what is absent: the worker''s default.';
comment on column attune.sensor.version is 'Grows with every change of the definition or of the pack''s code.';
comment on column attune.sensor.created is 'When the sensor was first applied.';
comment on column attune.sensor.updated is 'When an apply last changed the sensor.';

create table attune.sensor_state (
    sensor_ref    text        primary key,
    committed_seq bigint      not null default 0,
    cursor        jsonb,
    stopped       boolean     not null default false,
    completed     bigint,
    updated       timestamptz not null default now()
);
comment on table attune.sensor_state is 'Where a sensor got to. Kept by ref, so that a sensor that is removed and applied again goes on where it was.';
comment on column attune.sensor_state.sensor_ref is 'Ref of the sensor.';
comment on column attune.sensor_state.committed_seq is 'Sequence number of the last change of the cursor: a batch whose events are rows, a poll that moved only the cursor, or an operator''s edit.';
comment on column attune.sensor_state.cursor is 'What the next poll starts from, owned by the sensor''s code; null: from the beginning.';
comment on column attune.sensor_state.stopped is 'True: an operator stopped the sensor, and it stays so until started again.';
comment on column attune.sensor_state.completed is 'The version of the definition at which the sensor had brought all that it ever will; null: there may be more.';
comment on column attune.sensor_state.updated is 'When this row last changed.';

create table attune.sensor_entry (
    sensor_ref text  not null,
    key        text  not null,
    value      jsonb not null,
    primary key (sensor_ref, key)
);
comment on table attune.sensor_entry is 'What a sensor keeps besides its cursor, because it is much and changes little at a time. Kept by ref, as the sensor''s state is.';
comment on column attune.sensor_entry.sensor_ref is 'Ref of the sensor.';
comment on column attune.sensor_entry.key is 'What the value is about, such as the path of a file.';
comment on column attune.sensor_entry.value is 'What the sensor''s runtime keeps of it.';

create table attune.rule (
    id            bigint      generated always as identity primary key,
    ref           text        not null unique check (ref ~ '^[a-z0-9_-]+\.[a-z0-9_.-]+(/[a-z0-9_-]+)?$'),
    pack          bigint      not null references attune.pack (id) on delete cascade,
    label         text        not null,
    description   text        not null default '',
    trigger       bigint      not null references attune.trigger (id),
    trigger_ref   text        not null,
    condition     text        not null default 'all' check (condition in ('all', 'any')),
    conditions    jsonb       not null default '[]',
    cel           text        not null default '',
    action_ref    text        not null,
    action_params jsonb       not null default '{}',
    enabled       boolean     not null default true,
    shadow        boolean     not null default false,
    priority      integer     not null default 0,
    valid_from    timestamptz,
    valid_until   timestamptz check (valid_from < valid_until),
    active        jsonb       not null default '[]' check (jsonb_typeof(active) = 'array'),
    throttle      jsonb       check (jsonb_typeof(throttle) = 'object'),
    correlation   jsonb       check (correlation is null or jsonb_typeof(correlation) = 'object' and throttle is null),
    tripped       timestamptz,
    trip_reason   text        not null default '',
    version       bigint      not null default 1,
    ruleset       bigint      not null default 0,
    created       timestamptz not null default now(),
    updated       timestamptz not null default now()
);
create index rule_pack on attune.rule (pack);
create index rule_trigger on attune.rule (trigger, ruleset);
create index rule_tripped on attune.rule (trigger_ref) where tripped is not null;
comment on table attune.rule is 'Trigger + condition + action: which events matter and what is to be done.';
comment on column attune.rule.id is 'Internal key.';
comment on column attune.rule.ref is 'Public key, pack.name; of a part of a correlation, pack.name/part.';
comment on column attune.rule.pack is 'The pack that defines it.';
comment on column attune.rule.label is 'Name for people.';
comment on column attune.rule.description is 'Why the rule is there.';
comment on column attune.rule.trigger is 'The trigger whose events it looks at.';
comment on column attune.rule.trigger_ref is 'Ref of that trigger.';
comment on column attune.rule.condition is 'Whether all or any of the conditions must hold.';
comment on column attune.rule.conditions is 'List of clauses; empty: every event matches.';
comment on column attune.rule.cel is 'Expression in CEL that must hold besides the conditions; empty: none.';
comment on column attune.rule.action_ref is 'The action that an enforcement orders.';
comment on column attune.rule.action_params is 'Parameters of that action; in texts, {{ }} holds expressions in CEL.';
comment on column attune.rule.enabled is 'False: matches nothing.';
comment on column attune.rule.shadow is 'True: its matches are recorded in shadow_match and order nothing.';
comment on column attune.rule.priority is 'Of the enforcements of one event, those of a higher priority come first.';
comment on column attune.rule.valid_from is 'The first moment of events that it can match; null: no such limit.';
comment on column attune.rule.valid_until is 'The moment from which events are too late for it to match; null: no such limit.';
comment on column attune.rule.active is 'Times of the week of events that it can match, a list of windows; empty: all.';
comment on column attune.rule.throttle is 'How often it may order something, and by which fields its matches are grouped; null: each match orders.';
comment on column attune.rule.correlation is 'What else has to come, or must not, before it orders something; null: each match orders.';
comment on column attune.rule.tripped is 'Since when it is not evaluated because of what that took; null: it is evaluated. A change of the definition and `starter rule reset` end it.';
comment on column attune.rule.trip_reason is 'What its evaluation took; empty: it is not tripped.';
comment on column attune.rule.version is 'Grows with every change of the definition, and goes on when the rule is deleted and applied again.';
comment on column attune.rule.ruleset is 'The trigger''s ruleset when this rule last changed.';
comment on column attune.rule.created is 'When the rule was first applied.';
comment on column attune.rule.updated is 'When an apply last changed the rule.';

create table attune.rule_version (
    rule_ref      text        not null,
    version       bigint      not null,
    trigger_ref   text        not null,
    ruleset       bigint      not null,
    ended_ruleset bigint,
    definition    jsonb       not null,
    created       timestamptz not null default now(),
    ended         timestamptz,
    primary key (rule_ref, version)
);
create index rule_version_trigger_ref on attune.rule_version (trigger_ref, ruleset);
create index rule_version_ended on attune.rule_version (trigger_ref, ended_ruleset) where ended_ruleset is not null;
comment on table attune.rule_version is 'What a rule was from one change to the next. Kept by ref, also when the rule is deleted.';
comment on column attune.rule_version.rule_ref is 'Ref of the rule.';
comment on column attune.rule_version.version is 'The rule''s version, from 1.';
comment on column attune.rule_version.trigger_ref is 'Ref of the trigger that it belonged to.';
comment on column attune.rule_version.ruleset is 'The ruleset of that trigger that it came with.';
comment on column attune.rule_version.ended_ruleset is 'The ruleset of that trigger that it was changed or deleted with; null: it is in force.';
comment on column attune.rule_version.definition is 'The row of attune.rule as it was.';
comment on column attune.rule_version.created is 'When it was applied.';
comment on column attune.rule_version.ended is 'When it was changed or deleted; null: it is in force.';

create table attune.poll_batch (
    id          bigint      generated always as identity primary key,
    sensor      bigint,
    sensor_ref  text,
    trigger_ref text        not null,
    seq         bigint      not null default 0,
    status      text        not null default 'stored' check (status in ('stored', 'generated', 'matched', 'done')),
    count       integer     not null check (count >= 0),
    payloads    bytea[],
    triggers    text[],
    occurred    timestamptz[],
    keys        text[],
    config      jsonb       not null,
    cursor      jsonb,
    dedupe_key  text        unique,
    rulesets    jsonb,
    created     timestamptz not null default now(),
    generated   timestamptz,
    matched     timestamptz,
    done        timestamptz,
    unique (sensor_ref, seq)
);
-- What lives for a second is not worth compressing.
alter table attune.poll_batch alter column payloads set storage external;
create index poll_batch_unfinished on attune.poll_batch (sensor_ref, seq) where status <> 'done';
comment on table attune.poll_batch is 'What one poll brought back, stored before anything else happens to it.';
comment on column attune.poll_batch.id is 'Internal key.';
comment on column attune.poll_batch.sensor is 'The sensor that was polled, which may be gone since; null: a system event.';
comment on column attune.poll_batch.sensor_ref is 'Ref of that sensor; null: a system event.';
comment on column attune.poll_batch.trigger_ref is 'Ref of the trigger that the events are of, but for those that triggers gives another one.';
comment on column attune.poll_batch.seq is 'Number of the batch among those of the sensor; 0 for system events.';
comment on column attune.poll_batch.status is 'stored: payloads wait; generated: event rows exist; matched: enforcement rows exist; done: all of them confirmed by the broker.';
comment on column attune.poll_batch.count is 'How many payloads the batch has; 0: it only moves the cursor.';
comment on column attune.poll_batch.payloads is 'The payloads as the sensor wrote them, raw bytes in poll order; null once they are rows.';
comment on column attune.poll_batch.triggers is 'Ref of the trigger of each payload, empty for trigger_ref; null: all are of that, or the batch is done.';
comment on column attune.poll_batch.occurred is 'When each payload happened, as the sensor''s code says; null: of none, or the batch is done.';
comment on column attune.poll_batch.keys is 'Key of each payload, empty for none; null: none has one, or the batch is done.';
comment on column attune.poll_batch.config is 'Snapshot of trigger and sensor at the time of the poll; becomes event.config.';
comment on column attune.poll_batch.cursor is 'The sensor''s cursor once this batch is committed; null: it stays as it is.';
comment on column attune.poll_batch.dedupe_key is 'Makes storing a system event repeatable; null: none.';
comment on column attune.poll_batch.rulesets is 'The rulesets that the events were matched against, by the ref of their trigger; null: not matched yet.';
comment on column attune.poll_batch.created is 'When the poll was stored.';
comment on column attune.poll_batch.generated is 'When its event rows were committed.';
comment on column attune.poll_batch.matched is 'When its enforcement rows were committed.';
comment on column attune.poll_batch.done is 'When the broker had confirmed the last of its messages.';

create table attune.webhook_delivery (
    id               uuid        primary key,
    sensor_ref       text        not null,
    key              text,
    payload          bytea       not null,
    received_at      timestamptz not null,
    redelivered_from uuid,
    batch            bigint,
    position         integer,
    check ((batch is null) = (position is null))
);
create unique index webhook_delivery_key on attune.webhook_delivery (sensor_ref, key) where key is not null;
create index webhook_delivery_pending on attune.webhook_delivery (sensor_ref, id) where batch is null;
comment on table attune.webhook_delivery is 'A request that a webhook accepted. It waits here until a poll of its sensor makes it a payload of a batch, and is kept for a while after that.';
comment on column attune.webhook_delivery.id is 'Public key, which its sender was answered: a UUIDv7, so that the order of IDs is that of arrival.';
comment on column attune.webhook_delivery.sensor_ref is 'Ref of the webhook''s sensor.';
comment on column attune.webhook_delivery.key is 'How the sender names the delivery; a second one with the same key is a duplicate; null: not at all.';
comment on column attune.webhook_delivery.payload is 'The payload of its event, raw bytes.';
comment on column attune.webhook_delivery.received_at is 'When the request came, or when an operator delivered it again.';
comment on column attune.webhook_delivery.redelivered_from is 'The delivery that an operator delivered again as this one; null: it came from a sender.';
comment on column attune.webhook_delivery.batch is 'The batch that has its payload. Not a foreign key, which would cost the poll a tenth; null: it waits for a poll.';
comment on column attune.webhook_delivery.position is 'Its place in that batch, from 0.';

create table attune.event_key (
    sensor_ref      text        not null,
    key             text        not null,
    batch           bigint      not null,
    position        integer     not null,
    created         timestamptz not null default now(),
    expires         timestamptz not null,
    suppressed      bigint      not null default 0,
    last_suppressed timestamptz,
    primary key (sensor_ref, key)
);
create index event_key_expires on attune.event_key (expires);
comment on table attune.event_key is 'A key that a sensor''s code gave to an event: until it expires, further events of the sensor with the same key are suppressed. Kept by ref, as the sensor''s state is.';
comment on column attune.event_key.sensor_ref is 'Ref of the sensor.';
comment on column attune.event_key.key is 'The key; unique within the sensor.';
comment on column attune.event_key.batch is 'The batch that has the event. Not a foreign key: a key may outlive the rows that retention deletes.';
comment on column attune.event_key.position is 'Its place in that batch, from 0.';
comment on column attune.event_key.created is 'When the event was stored.';
comment on column attune.event_key.expires is 'Until when the key suppresses others; what is expired is deleted in the background.';
comment on column attune.event_key.suppressed is 'How many events it has suppressed.';
comment on column attune.event_key.last_suppressed is 'When it last suppressed one; null: never.';

create table attune.event (
    id          bigint      generated always as identity primary key,
    batch       bigint      not null,
    position    integer     not null,
    trigger     bigint,
    trigger_ref text        not null,
    source      bigint,
    source_ref  text,
    config      jsonb       not null,
    payload     jsonb       not null,
    occurred_at timestamptz,
    created     timestamptz not null default now(),
    unique (batch, position)
);
create index event_trigger_ref on attune.event (trigger_ref, id);
create index event_source_ref on attune.event (source_ref, id);
create index event_created on attune.event using brin (created);
comment on table attune.event is 'One occurrence of a trigger.';
comment on column attune.event.id is 'Internal and public key; grows in poll order within a sensor.';
comment on column attune.event.batch is 'The batch that brought it. Not a foreign key, which would cost a third of the insert: the statement that writes the row joins the batch.';
comment on column attune.event.position is 'Its place in the batch, from 0: a payload has at most one event.';
comment on column attune.event.trigger is 'What kind of event it is, a row that may be gone since; null: it was gone when the event was written.';
comment on column attune.event.trigger_ref is 'Ref of that trigger.';
comment on column attune.event.source is 'The sensor that saw it, which may be gone since; null: a system event.';
comment on column attune.event.source_ref is 'Ref of that sensor; null: a system event.';
comment on column attune.event.config is 'Snapshot of trigger and sensor when it was seen.';
comment on column attune.event.payload is 'What was seen; valid against the trigger''s out_schema.';
comment on column attune.event.occurred_at is 'When it happened, as the sensor''s code says; null: it does not.';
comment on column attune.event.created is 'When the row was written.';

create table attune.rejected_event (
    id          bigint      generated always as identity primary key,
    batch       bigint      not null references attune.poll_batch (id),
    position    integer     not null,
    trigger_ref text        not null,
    source_ref  text,
    raw         bytea       not null,
    reason      text        not null,
    created     timestamptz not null default now(),
    unique (batch, position)
);
create index rejected_event_source_ref on attune.rejected_event (source_ref, id);
comment on table attune.rejected_event is 'A payload that could not become an event.';
comment on column attune.rejected_event.id is 'Internal key.';
comment on column attune.rejected_event.batch is 'The batch that brought it.';
comment on column attune.rejected_event.position is 'Its place in the batch, from 0.';
comment on column attune.rejected_event.trigger_ref is 'Ref of the trigger that it was meant for.';
comment on column attune.rejected_event.source_ref is 'Ref of the sensor that yielded it; null: a system event.';
comment on column attune.rejected_event.raw is 'The payload, byte for byte.';
comment on column attune.rejected_event.reason is 'What is wrong with it.';
comment on column attune.rejected_event.created is 'When it was refused.';

create table attune.enforcement (
    id          bigint      generated always as identity primary key,
    rule        bigint      not null,
    rule_ref    text        not null,
    rule_version bigint      not null,
    trigger_ref text        not null,
    config      jsonb       not null,
    event       bigint      not null,
    status      text        not null default 'created' check (status in ('created', 'processed', 'disabled', 'dispatched', 'failed')),
    reason      text,
    link        jsonb,
    payload     jsonb       not null,
    condition   text        not null check (condition in ('all', 'any')),
    conditions  jsonb       not null,
    cel         text        not null default '',
    created     timestamptz not null default now(),
    resolved_at timestamptz,
    replay        bigint,
    replayed_from bigint,
    forced        bigint    not null default 0,
    unique (event, rule_ref, forced)
);
create index enforcement_replay on attune.enforcement (replay, event) where replay is not null;
create index enforcement_rule_ref on attune.enforcement (rule_ref, id);
create index enforcement_trigger_ref on attune.enforcement (trigger_ref, id);
create index enforcement_created on attune.enforcement using brin (created);
create index enforcement_undispatched on attune.enforcement (event)
    where status = 'created' and config ->> 'action' = 'core.temporal';
comment on table attune.enforcement is 'One rule matched by one event: the order to act.';
comment on column attune.enforcement.id is 'Internal and public key.';
comment on column attune.enforcement.rule is 'The rule that matched, which may be gone since.';
comment on column attune.enforcement.rule_ref is 'Ref of that rule.';
comment on column attune.enforcement.rule_version is 'The rule''s version at the match, see rule_version.';
comment on column attune.enforcement.trigger_ref is 'Ref of the event''s trigger.';
comment on column attune.enforcement.config is 'The rule''s action and its parameters for this event, as they were at the match; params is null if it failed.';
comment on column attune.enforcement.event is 'The event that matched. Not a foreign key, which would cost a third of the insert: the statement that writes the row joins the event.';
comment on column attune.enforcement.status is 'created: ordered; dispatched: this service has carried it out itself; failed: its parameters could not be rendered, and nobody was told, or what this service was to do itself was refused; processed, disabled: set by who acts on it.';
comment on column attune.enforcement.reason is 'Why it failed; null: it did not.';
comment on column attune.enforcement.link is 'Namespace, workflow_id and run_id where an action of this service''s own ended up; null: it has none, or is not dispatched.';
comment on column attune.enforcement.payload is 'The event''s payload.';
comment on column attune.enforcement.condition is 'The rule''s condition at the match.';
comment on column attune.enforcement.conditions is 'The rule''s conditions at the match.';
comment on column attune.enforcement.cel is 'The rule''s expression at the match; empty: none.';
comment on column attune.enforcement.created is 'When the row was written.';
comment on column attune.enforcement.resolved_at is 'When who acts on it was done; null: not yet.';
comment on column attune.enforcement.replay is 'The replay that wrote it; null: the event was matched.';
comment on column attune.enforcement.replayed_from is 'The enforcement of the same event and rule that a forced replay repeats; null: there was none.';
comment on column attune.enforcement.forced is 'The forced replay that wrote it, which may repeat what is there; 0: it is the only one of its event and rule.';

create table attune.shadow_match (
    event        bigint      not null,
    rule_ref     text        not null,
    rule_version bigint      not null,
    created      timestamptz not null default now(),
    primary key (event, rule_ref)
);
create index shadow_match_rule_ref on attune.shadow_match (rule_ref, created);
comment on table attune.shadow_match is 'One shadow rule matched by one event: what would have been an enforcement.';
comment on column attune.shadow_match.event is 'The event that matched. Not a foreign key, as that of an enforcement.';
comment on column attune.shadow_match.rule_ref is 'Ref of the rule that matched.';
comment on column attune.shadow_match.rule_version is 'The rule''s version at the match, see rule_version.';
comment on column attune.shadow_match.created is 'When the row was written.';

create table attune.rule_error (
    rule_ref     text        not null,
    since        timestamptz not null,
    rule_version bigint      not null,
    errors       bigint      not null,
    last_event   bigint      not null,
    last_reason  text        not null,
    last_at      timestamptz not null,
    primary key (rule_ref, since)
);
comment on table attune.rule_error is 'On how many events, of those that were matched within five minutes, the expression of a rule had no result, though all else about the rule held.';
comment on column attune.rule_error.rule_ref is 'Ref of the rule.';
comment on column attune.rule_error.since is 'Start of the five minutes.';
comment on column attune.rule_error.rule_version is 'The rule''s version at the last of them, see rule_version.';
comment on column attune.rule_error.errors is 'How many events.';
comment on column attune.rule_error.last_event is 'The last of these events, of the batch that was matched last.';
comment on column attune.rule_error.last_reason is 'Why there is no result for it, cut off after 600 characters.';
comment on column attune.rule_error.last_at is 'When that batch was matched.';

create table attune.match_group (
    id           bigint      generated always as identity primary key,
    rule_ref     text        not null,
    rule_version bigint      not null,
    kind         text        not null check (kind in ('once_within', 'once_after', 'at_least', 'correlation')),
    key          text        not null,
    status       text        not null default 'open' check (status in ('early', 'open', 'completed', 'closed', 'done', 'expired', 'cancelled', 'dropped')),
    state        jsonb,
    reason       text,
    opened       timestamptz not null,
    due          timestamptz not null,
    count        bigint      not null,
    counted      bigint[],
    first_event  bigint      not null,
    last_event   bigint      not null,
    event        bigint,
    created      timestamptz not null default now(),
    closed       timestamptz
);
create index match_group_open on attune.match_group (rule_ref, kind, md5(key)) where status = 'open';
create unique index match_group_pending on attune.match_group (rule_ref, md5(key)) where kind = 'correlation' and status in ('early', 'open');
create index match_group_due on attune.match_group (due) where status in ('open', 'completed', 'closed');
create index match_group_closed on attune.match_group (event) where status = 'closed';
create index match_group_rule_ref on attune.match_group (rule_ref, id);
comment on table attune.match_group is 'The matches of a throttled rule that have the same values in the fields that it groups by, from when the first of them opens the group.';
comment on column attune.match_group.id is 'Internal and public key.';
comment on column attune.match_group.rule_ref is 'Ref of the rule.';
comment on column attune.match_group.rule_version is 'The rule''s version at the group''s latest match.';
comment on column attune.match_group.kind is 'How the rule holds back matches, which does not change with the rule.';
comment on column attune.match_group.key is 'The fields and their values, as JSON; {}: all matches are one group.';
comment on column attune.match_group.status is 'open: it takes matches; closed: its enforcement is written; done: and confirmed by the broker; expired, cancelled, dropped: it has no enforcement. Of a correlation also early: it has matches that are too early for it to begin; completed: all parts came, and its enforcement is to be written.';
comment on column attune.match_group.state is 'correlation: how far it is; null: another kind.';
comment on column attune.match_group.reason is 'Why it has no enforcement; null: it is open, or has one.';
comment on column attune.match_group.opened is 'When the first of its events was recorded; of once_within, the one that ordered last.';
comment on column attune.match_group.due is 'once_after: when its enforcement is written; correlation: when it expires, or what is to be absent has been; else when it no longer holds back anything.';
comment on column attune.match_group.count is 'How many matches it has; once_within: how many it has suppressed since it ordered last; at_least: how many count.';
comment on column attune.match_group.counted is 'at_least: the events of the matches that count, in the order in which they came; null: another kind, or none.';
comment on column attune.match_group.first_event is 'The event that opened it; once_within: whose enforcement suppresses others.';
comment on column attune.match_group.last_event is 'The event of its latest match.';
comment on column attune.match_group.event is 'The event that its enforcement is of; null: it has none.';
comment on column attune.match_group.created is 'When the row was written.';
comment on column attune.match_group.closed is 'When it ended; null: it is open.';

create table attune.held_match (
    event        bigint      not null,
    rule_ref     text        not null,
    rule_version bigint      not null,
    state        text        not null check (state in ('suppressed', 'counted', 'collected', 'early')),
    match_group  bigint,
    answered_by  bigint,
    created      timestamptz not null default now(),
    primary key (event, rule_ref)
);
create index held_match_rule_ref on attune.held_match (rule_ref, created);
create index held_match_match_group on attune.held_match (match_group, event) where state <> 'suppressed';
create index held_match_answered_by on attune.held_match (answered_by) where answered_by is not null;
comment on table attune.held_match is 'A match of a throttled rule that has no enforcement of its own.';
comment on column attune.held_match.event is 'The event that matched. Not a foreign key, as that of an enforcement.';
comment on column attune.held_match.rule_ref is 'Ref of the rule that matched.';
comment on column attune.held_match.rule_version is 'The rule''s version at the match, see rule_version.';
comment on column attune.held_match.state is 'suppressed: another one had ordered already; counted: it takes more of them; collected: it counts for its group, whose enforcement lists it; early: a part of a correlation that had not begun.';
comment on column attune.held_match.match_group is 'The group that it belongs to, which may be gone since; null: none.';
comment on column attune.held_match.answered_by is 'The event whose enforcement of the rule suppressed it, or lists it; null: none does.';
comment on column attune.held_match.created is 'When the row was written.';

create table attune.replay (
    id           bigint      generated always as identity primary key,
    trigger_refs text[]      not null default '{}',
    rule_refs    text[]      not null default '{}',
    since        timestamptz,
    until        timestamptz,
    first_event  bigint      not null,
    last_event   bigint      not null,
    events       bigint      not null,
    forced       boolean     not null default false,
    dry_run      boolean     not null default false,
    rate         integer     not null check (rate > 0),
    created      timestamptz not null default now(),
    finished     timestamptz
);
comment on table attune.replay is 'An order to match events that are there with the rules as they are now.';
comment on column attune.replay.id is 'Internal and public key.';
comment on column attune.replay.trigger_refs is 'Refs of the triggers whose events are taken; empty: of all.';
comment on column attune.replay.rule_refs is 'Refs of the rules that are evaluated; empty: all that are enabled.';
comment on column attune.replay.since is 'Events written at or after are taken; null: no such limit.';
comment on column attune.replay.until is 'Events written before are taken; null: no such limit.';
comment on column attune.replay.first_event is 'The first of the events, when it was ordered.';
comment on column attune.replay.last_event is 'The last of them: later ones are not its business.';
comment on column attune.replay.events is 'How many they were.';
comment on column attune.replay.forced is 'True: it also writes enforcements of events and rules that have one.';
comment on column attune.replay.dry_run is 'True: it only counts.';
comment on column attune.replay.rate is 'The most enforcements that it writes in a second.';
comment on column attune.replay.created is 'When it was ordered.';
comment on column attune.replay.finished is 'When it was through, or stopped, and all its messages confirmed; null: it goes on.';

-- +goose Down
drop schema attune cascade;
