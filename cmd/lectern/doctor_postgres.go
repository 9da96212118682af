package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lectern-room/lectern/store"
)

const (
	// farPostgres is a round trip that each join waits for; in one place it
	// takes less than 1 ms.
	farPostgres = 10 * time.Millisecond
	// silentFor is after how much silence an instance counts as dead.
	silentFor = 10 * time.Second
)

// lookAtPostgres asks the database for all that an instance relies on.
func (d *doctor) lookAtPostgres(ctx context.Context, c *chart) {
	p, err := store.OpenPostgres(ctx, d.postgres, d.log)
	if err != nil {
		c.mend("Correct LECTERN_POSTGRES_URL", "%v", err)
		return
	}
	defer p.Close()
	state, err := p.State(ctx)
	if state.RoundTrip == 0 {
		c.mend(postgresMend(err), "%s: %s", state.Name, reason(err))
		return
	}
	lookAtWay(c, state)
	found, findErr := p.Findings(ctx)
	for _, f := range found {
		if f.Refused {
			c.mend(sentence(f.Mend), "%s: no instance starts on it", f.What)
		} else {
			c.note(sentence(f.Mend), "%s", f.What)
		}
	}
	if err := errors.Join(err, findErr); err != nil {
		c.mend(postgresMend(err), "%s: %s", state.Name, reason(err))
		return
	}
	lookAtSchema(c, state)
	d.lookAtConnections(c, state)
	lookAtInstances(c, state)
	lookAtAhead(c, state)
}

// lookAtWay tells where the database is, and what is between.
func lookAtWay(c *chart, s store.PostgresState) {
	about := fmt.Sprintf("%s, PostgreSQL %s, as %s, round trip %s", s.Name, s.Version, s.Role, s.RoundTrip.Round(10*time.Microsecond))
	if s.RoundTrip > farPostgres {
		c.note("Put it near the instances: each join waits for one of these", "%s", about)
	} else {
		c.ok("%s", about)
	}
	const cacheDescribe = "Add default_query_exec_mode=cache_describe to LECTERN_POSTGRES_URL"
	switch {
	case s.ByTransaction && s.Prepares:
		c.mend(cacheDescribe, "PgBouncer, or another like it, is in between and shares connections by the transaction, where prepared statements are another's")
	case s.ByTransaction:
		c.ok("PgBouncer, or another like it, is in between and shares connections by the transaction; LECTERN_POSTGRES_URL allows for it")
	case s.Pooled:
		c.ok("PgBouncer, or another like it, is in between and gives whole sessions")
	}
	if s.Standbys != "" {
		c.note("Have enough of them, or use ANY 1 (…)", "synchronous_standby_names = %s: while none of these answers, nobody gets a seat", s.Standbys)
	}
}

func lookAtSchema(c *chart, s store.PostgresState) {
	switch {
	case len(s.Lacks) > 0 && !s.MayCreate:
		c.mend(fmt.Sprintf("GRANT CREATE ON SCHEMA public TO %s, or let `lectern migrate` run with the URL of a role that may", s.Role),
			"the schema lacks %s, and the role %s may not make tables", strings.Join(s.Lacks, ", "), s.Role)
	case len(s.Forbidden) > 0:
		c.mend(fmt.Sprintf("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO %s", s.Role),
			"the role %s may not read and write %s", s.Role, strings.Join(s.Forbidden, ", "))
	default:
		sayLacks(c, s.Lacks)
	}
}

// lookAtConnections compares what the database has with what its instances
// take. Where there is a pooler, that bounds them.
func (d *doctor) lookAtConnections(c *chart, s store.PostgresState) {
	if s.Pooled || d.isWrong("postgres-connections") {
		return
	}
	each, instances := d.postgres.Connections, max(1, len(s.Instances))
	room := s.Connections / each
	const how = "Raise max_connections, or lower LECTERN_POSTGRES_CONNECTIONS, or put PgBouncer in between"
	about := fmt.Sprintf("%d connections, %d in use; an instance takes up to %d (LECTERN_POSTGRES_CONNECTIONS)", s.Connections, s.InUse, each)
	switch {
	case instances > room:
		c.mend(how, "%s, and that is too few for %s", about, quantity(instances, "instance"))
	case instances == room:
		c.note(how, "%s: room for %s, and no more while one replaces another", about, quantity(room, "instance"))
	default:
		c.ok("%s: room for %s", about, quantity(room, "instance"))
	}
}

// lookAtInstances tells who else is there. Their versions are not in the
// database: each tells its own, at /healthz.
func lookAtInstances(c *chart, s store.PostgresState) {
	if len(s.Lacks) > 0 || len(s.Forbidden) > 0 {
		return
	}
	var live, silent []string
	names := map[string]bool{}
	for _, one := range s.Instances {
		name, _, _ := strings.Cut(string(one.ID), ".")
		if one.Silent >= silentFor {
			silent = append(silent, name)
			continue
		}
		if names[name] {
			c.note("Give each its own LECTERN_INSTANCE, or none", "several instances are called %s, so that their logs cannot be told apart", name)
		}
		names[name] = true
		live = append(live, fmt.Sprintf("%s (beat %s ago)", name, one.Silent.Round(10*time.Millisecond)))
	}
	if len(live) == 0 {
		c.ok("no instance runs on it now")
	} else {
		c.ok("%s on it: %s", quantity(len(live), "live instance"), strings.Join(live, ", "))
	}
	if len(silent) > 0 {
		c.note("The next that runs ends what they left", "%s silent for longer than %s: %s", quantity(len(silent), "instance"), silentFor, strings.Join(silent, ", "))
	}
}

// reason is the end of an error: what the server said, or else what came of the
// last try to reach it.
func reason(err error) string {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return said.Error()
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return lines[len(lines)-1]
}

// postgresMend says what to do about what Postgres, or the way there, says, by
// the codes of its manual's appendix A.
func postgresMend(err error) string {
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		return "See that it runs, that the host and the port in LECTERN_POSTGRES_URL are right, and that this machine reaches it; an instance waits for it"
	}
	switch {
	case strings.Contains(said.Message, "startup parameter"):
		return "That is PgBouncer: add default_query_exec_mode=cache_describe to LECTERN_POSTGRES_URL"
	case strings.HasPrefix(said.Code, "28"):
		return "Correct the role and the password in LECTERN_POSTGRES_URL, with percent signs for what is special in them, or let pg_hba.conf take them from this machine"
	case said.Code == "3D000":
		return "Make it: CREATE DATABASE … OWNER …"
	case said.Code == "53300":
		return "Raise max_connections, or the role's CONNECTION LIMIT, or lower LECTERN_POSTGRES_CONNECTIONS of all instances"
	case said.Code == "42501":
		return "GRANT it to the role"
	case strings.HasPrefix(said.Code, "57P"):
		return "Wait until it has started; an instance does so too"
	}
	return "See the log of the database server"
}

// sentence begins with a capital letter, unless it is SQL or a name.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
