package store_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/lectern-room/lectern/store"
	"github.com/lectern-room/lectern/store/servers"
	"github.com/lectern-room/lectern/store/storetest"
)

// TestPostgresURL: what is wrong with an address is said without its password.
func TestPostgresURL(t *testing.T) {
	const password = "s3cr/t"
	for address, right := range map[string]bool{
		"postgres://kim:s3cr%2Ft@127.0.0.1:1/rooms":                                          true,
		"postgresql://kim:s3cr%2Ft@127.0.0.1:1/rooms?default_query_exec_mode=cache_describe": true,
		"postgres://kim:s3cr%2Ft@127.0.0.1:1/rooms?sslmode=certainly":                        false,
		"postgres://kim:s3cr%2Ft@127.0.0.1:port/rooms":                                       false,
		"postgres://kim:s3cr/t@127.0.0.1/rooms":                                              false,
		"postgres://127.0.0.1/rooms?password=s3cr/t&default_query_exec_mode=fast":            false,
		"mysql://kim:s3cr%2Ft@127.0.0.1/rooms":                                               false,
		"host=127.0.0.1 password=s3cr/t":                                                     false,
		"":                                                                                   false,
	} {
		s, err := store.OpenPostgres(t.Context(), store.PostgresConfig{URL: address, Connections: store.LeastConnections}, slog.New(slog.DiscardHandler))
		if right != (err == nil) {
			t.Errorf("%s: %v", address, err)
		}
		if err == nil {
			err = s.Ping(t.Context())
			s.Close()
		}
		if err == nil || strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "s3cr") {
			t.Errorf("%s: the error is %q", address, err)
		}
	}
}

// TestMigrateTogether: instances that start at the same moment all find the
// schema.
func TestMigrateTogether(t *testing.T) {
	address := fresh(t)
	var all sync.WaitGroup
	for range 4 {
		s := newPostgres(t, address)
		all.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
			if pending, err := s.Pending(t.Context()); err != nil || len(pending) > 0 {
				t.Errorf("pending after the migration: %v, %v", pending, err)
			}
			openHall(t, s)
		})
	}
	all.Wait()
}

// TestNewerSchema: a program goes on working on the schema of the next.
func TestNewerSchema(t *testing.T) {
	address := fresh(t)
	s := newPostgres(t, address)
	if pending, err := s.Pending(t.Context()); err != nil || len(pending) == 0 {
		t.Fatalf("pending on an empty database: %v, %v", pending, err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := openHall(t, s)
	for _, table := range []string{"room", "claim", "room_log", "attendee", "session", "instance"} {
		alter(t, address, `ALTER TABLE `+table+` ADD COLUMN newer text NOT NULL DEFAULT 'x'`)
	}
	alter(t, address, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`)

	h.save(t, h.joins(3)) // by statements that were prepared before
	older := openPostgres(t, address)
	if pending, err := older.Pending(t.Context()); err != nil || len(pending) > 0 {
		t.Errorf("pending on a newer schema: %v, %v", pending, err)
	}
	h.store = older
	h.save(t, h.joins(3))
}

// alter carries out a statement on a connection of its own.
func alter(tb testing.TB, address, statement string) {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), address)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close(tb.Context())
	if _, err := conn.Exec(tb.Context(), statement); err != nil {
		tb.Fatal(err)
	}
}

// TestCheck: a database that loses what it acknowledges is refused, and the
// error says what to do.
func TestCheck(t *testing.T) {
	for setting, accepted := range map[string]bool{
		"application_name = x":               true,
		"synchronous_commit = on":            true,
		"synchronous_commit = local":         true,
		"synchronous_commit = remote_write":  true,
		"synchronous_commit = remote_apply":  true,
		"synchronous_commit = off":           false,
		"default_transaction_read_only = on": false,
	} {
		checks(t, fresh(t, setting), setting, accepted)
	}
	address := strings.Replace(fresh(t), "postgres@", "postgres:s3cret@", 1)
	for option, accepted := range map[string]bool{
		"synchronous_commit=off": false,
		"default_query_exec_mode=cache_describe&default_transaction_isolation=serializable": false,
		"default_query_exec_mode=cache_describe":                                            true,
	} {
		checks(t, address+"?"+option, strings.ReplaceAll(option, "=", " = "), accepted)
	}
	unsafe := started[*servers.Postgres](t)(servers.StartPostgres("fsync=off"))
	defer unsafe.Remove()
	checks(t, unsafe.URL(), "fsync = off", false)
	alter(t, unsafe.URL(), `DO $$ BEGIN EXECUTE format('COPY (SELECT) TO %L', current_setting('data_directory') || '/standby.signal'); END $$`)
	if err := unsafe.Restart(); err != nil {
		t.Fatal(err)
	}
	checks(t, unsafe.URL(), "in_recovery = on", false)
}

func checks(t *testing.T, address, setting string, accepted bool) {
	t.Helper()
	err := newPostgres(t, address).Check(t.Context())
	if accepted != (err == nil) {
		t.Errorf("%s: %v", setting, err)
	}
	if err == nil {
		return
	}
	_, name, _ := strings.Cut(setting, "&")
	for _, part := range []string{"LECTERN_POSTGRES_URL", "127.0.0.1", name} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%q holds the password", err)
	}
}

// TestPgBouncer: connections that are shared by the transaction do.
func TestPgBouncer(t *testing.T) {
	bouncer := started[*servers.PgBouncer](t)(servers.StartPgBouncer(postgres(t)))
	defer bouncer.Stop()
	storetest.Run(t, func(t *testing.T) (storetest.Store, func() storetest.Store) {
		address := bouncer.Through(fresh(t))
		return openPostgres(t, address), func() storetest.Store { return openPostgres(t, address) }
	})
}

// TestPgBouncerCheck: the time limits that cannot be set through PgBouncer
// are asked for.
func TestPgBouncerCheck(t *testing.T) {
	bouncer := started[*servers.PgBouncer](t)(servers.StartPgBouncer(postgres(t)))
	defer bouncer.Stop()
	said := func(address string) string {
		var log bytes.Buffer
		s, err := store.OpenPostgres(t.Context(), store.PostgresConfig{URL: address, Connections: store.LeastConnections}, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		return log.String()
	}
	unlimited := said(bouncer.Through(fresh(t)))
	for _, limit := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		if !strings.Contains(unlimited, limit) {
			t.Errorf("no word of %s: %s", limit, unlimited)
		}
	}
	limited := fresh(t, "statement_timeout = 2000", "lock_timeout = 1000", "idle_in_transaction_session_timeout = 5000")
	for what, address := range map[string]string{"with limits": bouncer.Through(limited), "on a session of its own": fresh(t)} {
		if log := said(address); log != "" {
			t.Errorf("%s: %s", what, log)
		}
	}
}
