-- Times are milliseconds since 1970 in UTC, written by the program; ids are
-- made there too. SQLite and Postgres both run this text.
--
-- There are no foreign keys: what belongs to a room is written in the
-- transaction that writes the room's row, and to check that again took a third
-- of the time of a save of 1,024 joins. Whoever deletes a room deletes what
-- belongs to it.
--
-- In a storm of joins only the key of attendee is written all over the place:
-- all else is appended.

-- +goose Up

CREATE TABLE room (
	id              text    NOT NULL PRIMARY KEY,
	version         bigint  NOT NULL CHECK (version > 0),
	at              bigint  NOT NULL,
	title           text    NOT NULL,
	instructor_id   text    NOT NULL,
	instructor_name text    NOT NULL,
	code            text    NOT NULL,
	renewals        bigint  NOT NULL,
	capacity        bigint  NOT NULL,
	slot            bigint  NOT NULL,
	status          text    NOT NULL,
	options         text    NOT NULL,
	policy          text    NOT NULL,
	opened_at       bigint,
	closed_at       bigint,
	taken           bigint  NOT NULL,
	waiting         bigint  NOT NULL,
	pending         bigint  NOT NULL,
	online_count    bigint  NOT NULL,
	due_at          bigint,
	-- The seat promise, with the seat key of attendee. Nothing else is trusted.
	CHECK (taken >= 0),
	CHECK (taken <= capacity)
);

CREATE INDEX room_due ON room (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX room_instructor ON room (instructor_id, id);
CREATE INDEX room_closed ON room (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE claim (
	key     text NOT NULL PRIMARY KEY,
	room_id text NOT NULL
);

CREATE INDEX claim_room ON claim (room_id);

-- No display names here: who is erased from attendee is erased.
CREATE TABLE room_log (
	room_id      text   NOT NULL,
	version      bigint NOT NULL,
	at           bigint NOT NULL,
	batch        text   NOT NULL,
	answers      text   NOT NULL,
	events       text   NOT NULL,
	taken        bigint NOT NULL,
	online_count bigint NOT NULL,
	PRIMARY KEY (room_id, version)
);

CREATE TABLE attendee (
	room_id         text    NOT NULL,
	user_id         text    NOT NULL,
	name            text    NOT NULL,
	guest           boolean NOT NULL,
	state           text    NOT NULL,
	seat            bigint,
	last_seat       bigint  NOT NULL,
	online          boolean NOT NULL,
	joined_at       bigint,
	first_joined_at bigint,
	left_at         bigint,
	banned_at       bigint,
	away_at         bigint,
	offline_at      bigint,
	place           bigint,
	left_for        text,
	PRIMARY KEY (user_id, room_id),
	CHECK (seat IS NULL OR (seat > 0 AND state = 'seated'))
);

CREATE UNIQUE INDEX attendee_seat ON attendee (room_id, seat);
CREATE INDEX attendee_line ON attendee (room_id, place) WHERE state = 'waiting';

CREATE TABLE session (
	room_id         text   NOT NULL,
	session_id      text   NOT NULL,
	user_id         text   NOT NULL,
	instance_id     text   NOT NULL,
	connected_at    bigint NOT NULL,
	disconnected_at bigint,
	PRIMARY KEY (room_id, connected_at, session_id),
	CHECK (disconnected_at >= connected_at)
);

CREATE INDEX session_instance ON session (instance_id) WHERE disconnected_at IS NULL;
CREATE INDEX session_hidden ON session (instance_id, disconnected_at) WHERE disconnected_at IS NOT NULL;

-- What instructors set by hand over the attendance policy; the latest counts.
-- An empty status takes a correction back.
CREATE TABLE correction (
	room_id text   NOT NULL,
	user_id text   NOT NULL,
	version bigint NOT NULL,
	at      bigint NOT NULL,
	by_user text   NOT NULL,
	status  text   NOT NULL,
	reason  text   NOT NULL,
	PRIMARY KEY (room_id, user_id, version)
);

CREATE TABLE instance (
	id      text   NOT NULL PRIMARY KEY,
	beat_at bigint NOT NULL,
	dead_at bigint
);

-- +goose Down

DROP TABLE instance;
DROP TABLE correction;
DROP TABLE session;
DROP TABLE attendee;
DROP TABLE room_log;
DROP TABLE claim;
DROP TABLE room;
