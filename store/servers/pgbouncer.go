package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A PgBouncer shares the connections of a Postgres by the transaction: no
// session is its client's own.
type PgBouncer struct {
	place
	*process
	of *Postgres
}

// StartPgBouncer starts one in front of a server. ErrNotInstalled: this
// machine has none.
func StartPgBouncer(of *Postgres) (*PgBouncer, error) {
	at, err := newPlace("pgbouncer", "/usr/sbin/pgbouncer")
	if err != nil {
		return nil, err
	}
	b := &PgBouncer{place: at, of: of}
	if err := b.start(); err != nil {
		at.remove()
		return nil, err
	}
	return b, nil
}

func (b *PgBouncer) start() error {
	as, err := b.giveUpRoot()
	if err != nil {
		return err
	}
	config := filepath.Join(b.folder, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d user=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
`, b.of.port, superuser, b.port)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	ready := func(ctx context.Context) error { return run(ctx, b.Through(b.of.URL()), `SELECT 1`) }
	b.process, err = start(b.command(as, b.program, config), b.log(), ready)
	return err
}

// Through is the address of a database of the server behind, by way of this.
func (b *PgBouncer) Through(address string) string {
	return strings.Replace(address, ":"+strconv.Itoa(b.of.port), ":"+strconv.Itoa(b.port), 1) +
		"?default_query_exec_mode=cache_describe"
}

// Stop ends it and removes its folder.
func (b *PgBouncer) Stop() error {
	b.stop(syscall.SIGTERM)
	return b.remove()
}
