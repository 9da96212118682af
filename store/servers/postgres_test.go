package servers

import (
	"context"
	"testing"
	"time"
)

func TestPostgres(t *testing.T) {
	p := began[*Postgres](t)(StartPostgres())
	defer p.Remove()
	ctx := t.Context()
	first, err := p.Fresh(ctx, "synchronous_commit = off")
	if err != nil {
		t.Fatal(err)
	}
	if second, err := p.Fresh(ctx); err != nil || second == first {
		t.Fatalf("another fresh database is at %s: %v", second, err)
	}
	for name, end := range map[string]func(){
		"in order":    func() { p.Stop(false) },
		"immediately": func() { p.Stop(true) },
		"killed":      p.Kill,
		"still on":    func() {},
	} {
		end()
		if err := p.Restart(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := run(ctx, p.URL(), `SELECT 1`); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// TestPausedPostgres: all its processes stand still, and go on.
func TestPausedPostgres(t *testing.T) {
	p := began[*Postgres](t)(StartPostgres())
	defer p.Remove()
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := run(ctx, p.URL(), `SELECT 1`); err == nil {
		t.Error("a server that is paused answers")
	}
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), p.URL(), `SELECT 1`); err != nil {
		t.Error(err)
	}
}

func TestPgBouncer(t *testing.T) {
	p := began[*Postgres](t)(StartPostgres())
	defer p.Remove()
	b := began[*PgBouncer](t)(StartPgBouncer(p))
	defer b.Stop()
	address, err := p.Fresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), b.Through(address), `SELECT 1`); err != nil {
		t.Error(err)
	}
}
