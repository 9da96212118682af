package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/lectern-room/lectern/room"
)

var _ room.Store = (*Postgres)(nil)

// The server ends by itself what takes too long, so that nothing hangs that
// nobody waits for any more.
const (
	// statementTimeout is as long as a caller waits for its answer.
	statementTimeout = 2 * time.Second
	// lockTimeout leaves half of that for the statement itself.
	lockTimeout = time.Second
	// idleTimeout frees the rooms of an instance that was stopped within a
	// transaction; it is well under the 10 s after which that one is dead.
	idleTimeout = 5 * time.Second
	// saveTimeout is how long a save may take in all. It is longer than its
	// callers wait, so that the server's limits come first: they spare the
	// connection, and tell what became of the steps.
	saveTimeout = statementTimeout + 500*time.Millisecond
	// perPerson is how much longer a statement and a save may take for each
	// person in a step beyond groupRows, several times what they do on a busy
	// machine: a full hall that closes is one step, which would else be tried
	// for ever.
	perPerson = 300 * time.Microsecond
)

// extra is how much longer than others a step may take to save.
func extra(step *room.Step) time.Duration {
	return time.Duration(max(0, len(step.People)-groupRows)) * perPerson
}

// limits are the server's names for those that it keeps.
var limits = map[string]time.Duration{
	"statement_timeout":                   statementTimeout,
	"lock_timeout":                        lockTimeout,
	"idle_in_transaction_session_timeout": idleTimeout,
}

// LeastConnections is how many connections to Postgres it takes: one for
// groups, one for those who save alone, one for beats, and one for readers.
const LeastConnections = 4

const (
	// connectTimeout bounds the wait for a server that takes connections and
	// says nothing.
	connectTimeout = 2 * time.Second
	// pingTimeout bounds the look at a connection that was idle, so that one
	// which leads nowhere leaves time to make another.
	pingTimeout = 500 * time.Millisecond
	// connectionLife has the connections spread anew over what is behind a
	// balancer that has changed.
	connectionLife   = 30 * time.Minute
	connectionJitter = 5 * time.Minute // not all at once
	// connectionIdle is longer than the pauses within a lecture. None is kept
	// beyond it: the beats keep one in use.
	connectionIdle = 5 * time.Minute
	// poolCheck finds those.
	poolCheck = time.Minute
)

// constraintViolated begins the codes of such errors (SQLSTATE class 23).
const constraintViolated = "23"

// A PostgresConfig says which database, and how much of it.
type PostgresConfig struct {
	// URL names the database as libpq does, with the parameters that pgx adds.
	// Behind PgBouncer in transaction mode it has
	// default_query_exec_mode=cache_describe: no session is this program's
	// own then, and the timeouts of the database's role hold.
	URL string
	// Connections is how many there are at most: LeastConnections or more.
	Connections int
}

// Postgres is a room.Store that any number of instances share. What it has
// answered survives the loss of any of them and of the database server's
// power. Call Check and Migrate before anything else.
type Postgres struct {
	reader

	log   *slog.Logger
	pool  *pgxpool.Pool
	aside *sql.DB // the connections of those who save alone

	line  line
	saves sync.WaitGroup

	last lastWrite
}

// OpenPostgres makes a store of a database that need not be there yet. The
// error says what is wrong with the configuration, and holds no password.
func OpenPostgres(ctx context.Context, config PostgresConfig, log *slog.Logger) (*Postgres, error) {
	pooled, err := parsePostgres(config.URL)
	if err != nil {
		return nil, err
	}
	if config.Connections < LeastConnections {
		return nil, fmt.Errorf("%d connections to Postgres: it takes %d", config.Connections, LeastConnections)
	}
	pooled.MaxConns = int32(config.Connections)
	pool, err := pgxpool.NewWithConfig(ctx, pooled)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	// Groups have connections of their own, those who save alone a quarter,
	// beats one, and readers the rest: a slow export holds up no join, nor
	// does a room that somebody locks.
	quarter := config.Connections / 4
	groups := min(quarter, flights)
	p := &Postgres{
		reader: reader{
			db:       stdlib.OpenDBFromPool(pool),
			snapshot: sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
			elements: "jsonb_array_elements_text",
			position: "strpos",
		},
		log: log, pool: pool, aside: stdlib.OpenDBFromPool(pool),
		line: line{busy: map[room.ID]bool{}, most: groups},
	}
	p.aside.SetMaxOpenConns(quarter)
	p.db.SetMaxOpenConns(config.Connections - groups - quarter - 1)
	return p, nil
}

// parsePostgres returns how to connect.
func parsePostgres(address string) (*pgxpool.Config, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		// What the parser says may quote the password.
		return nil, errors.New("not a Postgres URL: it looks like postgres://user:password@host:5432/database, with percent signs (%40) for what is special in a password")
	}
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("not a Postgres URL: %w", err) // the URL is well formed, so that pgx hides the password
	}
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = connectionLife, connectionJitter
	config.MaxConnIdleTime, config.HealthCheckPeriod = connectionIdle, poolCheck
	config.PingTimeout = pingTimeout
	config.ConnConfig.ConnectTimeout = cmp.Or(config.ConnConfig.ConnectTimeout, connectTimeout)
	config.ConnConfig.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		// A server that is gone without a word is noticed in 8 s, where
		// nobody gives up earlier.
		Enable: true, Idle: 5 * time.Second, Interval: time.Second, Count: 3,
	}}).DialContext
	if ownSession(config.ConnConfig) {
		params := config.ConnConfig.RuntimeParams
		params["application_name"] = cmp.Or(params["application_name"], "lectern")
		params["default_transaction_isolation"] = "read committed"
		for limit, d := range limits {
			params[limit] = strconv.FormatInt(d.Milliseconds(), 10)
		}
	}
	return config, nil
}

// ownSession tells whether a connection is a session of the server's: not
// behind PgBouncer, which refuses what is set for a session, and which the
// prepared statements of one tell that there is none.
func ownSession(config *pgx.ConnConfig) bool {
	return config.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement
}

// Close ends the store once the saves in progress are done.
func (p *Postgres) Close() error {
	p.saves.Wait()
	err := errors.Join(p.db.Close(), p.aside.Close())
	p.pool.Close()
	return err
}

// InUse returns how many connections are in use.
func (p *Postgres) InUse() int { return int(p.pool.Stat().AcquiredConns()) }

// Ping tells whether the store can be read and took what was last written.
func (p *Postgres) Ping(ctx context.Context) error {
	var n int
	if err := p.pool.QueryRow(ctx, `SELECT count(*) FROM instance`).Scan(&n); err != nil {
		return fmt.Errorf("read the store: %w", err)
	}
	return p.last.failure()
}

// wrote notes for Ping what came of a write.
func (p *Postgres) wrote(err error) {
	var failure *pgconn.PgError
	if errors.As(err, &failure) && strings.HasPrefix(failure.Code, constraintViolated) {
		return // refused for what it says
	}
	p.last.note(err)
}

// fatal tells whether the server ended the connection, whatever it was doing.
func fatal(err *pgconn.PgError) bool {
	return cmp.Or(err.SeverityUnlocalized, err.Severity) != "ERROR"
}
