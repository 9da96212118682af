package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store/servers"
)

// A visit is one of the doctor's: an environment, what each of some lines has
// to say, and how it ends.
type visit struct {
	environ []string
	args    []string
	lines   []string // a level, a check and words, in this order
	unfit   bool
}

// pays makes a visit, and keeps its lines in the log of the test.
func (v *visit) pays(t *testing.T) string {
	t.Helper()
	environ := append([]string{"LECTERN_LISTEN=127.0.0.1:0", "LECTERN_OPS_LISTEN=127.0.0.1:0"}, v.environ...)
	began := time.Now()
	got := try(t, environ, "", append([]string{"doctor", "--sockets=500"}, v.args...)...)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if unfit := errors.Is(got.err, errUnfit); unfit != v.unfit || !unfit && got.err != nil {
		t.Errorf("ended with %v, unfit is to be %v:\n%s", got.err, v.unfit, got.stdout)
	}
	for _, want := range v.lines {
		if !hasLine(got.stdout, want) {
			t.Errorf("no line says %q:\n%s", want, got.stdout)
		}
	}
	if strings.Contains(got.stdout, "s3cret") {
		t.Errorf("a secret is shown:\n%s", got.stdout)
	}
	t.Logf("ends with %v:\n%s", got.err, got.stdout)
	return got.stdout
}

// hasLine tells whether a line begins with level and check and has all the words,
// which … separates.
func hasLine(text, want string) bool {
	level, rest, _ := strings.Cut(want, " ")
	name, words, _ := strings.Cut(rest, ": ")
	for line := range strings.Lines(text) {
		begins, said, _ := strings.Cut(strings.TrimPrefix(line, level), name)
		has := strings.HasPrefix(line, level+" ") && strings.TrimSpace(begins) == ""
		for word := range strings.SplitSeq(words, "…") {
			has = has && strings.Contains(said, word)
		}
		if has {
			return true
		}
	}
	return false
}

// visits has all visits paid, at the same time, in an environment that theirs
// adds to.
func visits(t *testing.T, all map[string]visit, environ ...string) {
	t.Helper()
	t.Run("visits", func(t *testing.T) {
		for name, v := range all {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				v.environ = append(environ[:len(environ):len(environ)], v.environ...)
				v.pays(t)
			})
		}
	})
}

// TestDoctorEmbedded: what is wrong on one machine.
func TestDoctorEmbedded(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	go func() { // who takes connections and says nothing
		for {
			conn, err := taken.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	}()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	open := t.TempDir()
	must(t, []string{"LECTERN_DATA=" + open}, "", "passport", "--user=t1")
	if err := os.Chmod(filepath.Join(open, "passport-keys"), 0o644); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(t.TempDir(), "none")
	weak := "guessed:" + strings.Repeat("QUJD", 11)
	visits(t, map[string]visit{
		"nothing set": {environ: []string{"LECTERN_DATA=" + none}, lines: []string{
			"ok settings: all accepted", "ok keys: the first start makes them", "ok data: is not there yet",
		}},
		"wrong settings, and a name mistyped": {
			environ: []string{"LECTERN_DRAIN=20", "LECTERN_GUESTS=perhaps", "LECTERN_RETENTIONS=8760h", "LECTERN_PLANET=earth", signingKeys + "=s:c3VzM2NyZXQ"},
			lines: []string{
				`mend settings: LECTERN_DRAIN (--drain) is "20"…Accepted is a duration such as 20s`, "mend settings: LECTERN_GUESTS…true or false",
				"mend settings: LECTERN_RETENTIONS…Call it LECTERN_RETENTION", "note settings: LECTERN_PLANET…does nothing", "mend settings: LECTERN_PASSPORT_KEYS…at least 32 bytes",
			}, unfit: true,
		},
		"variables of Kubernetes": {
			environ: []string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "LECTERN_SERVICE_HOST=10.0.0.2", "LECTERN_PORT_8080_TCP=tcp://10.0.0.2:8080", "LECTERN_DRAIN=40s", "LECTERN_DATA=" + none},
			lines:   []string{"ok settings: all accepted", "note leaving: terminationGracePeriodSeconds"},
		},
		"password in a flag": {
			args: []string{"--postgres-url=postgres://kim:s3cret@db.example/lectern"}, lines: []string{"mend settings: LECTERN_POSTGRES_URL…a URL without a password"}, unfit: true,
		},
		"address of another program": {
			environ: []string{"LECTERN_LISTEN=" + taken.Addr().String(), "LECTERN_DATA=" + none}, lines: []string{"mend listeners: LECTERN_LISTEN…is taken"}, unfit: true,
		},
		"one address twice": {
			environ: []string{"LECTERN_LISTEN=127.0.0.1:28917", "LECTERN_OPS_LISTEN=127.0.0.1:28917", "LECTERN_DATA=" + none},
			lines:   []string{"mend listeners: LECTERN_OPS_LISTEN…is taken"}, unfit: true,
		},
		"address of another machine": {
			environ: []string{"LECTERN_LISTEN=192.0.2.1:8080", "LECTERN_DATA=" + none}, lines: []string{"mend listeners: not an address of this machine", "mend names: browsers are refused"}, unfit: true,
		},
		"open to the network": {
			environ: []string{"LECTERN_LISTEN=:0", "LECTERN_OPS_LISTEN=:0", "LECTERN_HOSTS=lectern.example", "LECTERN_ORIGINS=https://lectern.example", "LECTERN_DATA=" + none},
			lines:   []string{"note names: LECTERN_PUBLIC_URL", "note listeners: reads metrics and profiles", "note proxies: is empty"},
		},
		"a container's port on this machine": {
			environ: []string{"LECTERN_LISTEN=0.0.0.0:0", "LECTERN_HOSTS=localhost", "LECTERN_DATA=" + none}, lines: []string{"note names: LECTERN_PUBLIC_URL"},
		},
		"a name whose pages may not call": {
			environ: []string{"LECTERN_LISTEN=0.0.0.0:0", "LECTERN_HOSTS=localhost,lectern.example", "LECTERN_DATA=" + none},
			lines:   []string{"mend names: browsers are refused…LECTERN_ORIGINS="}, unfit: true,
		},
		"link to a name that is refused": {
			environ: []string{"LECTERN_PUBLIC_URL=https://rooms.example", "LECTERN_HOSTS=rooms.example", "LECTERN_ORIGINS=https://lectern.example", "LECTERN_DATA=" + none},
			lines:   []string{"mend names: LECTERN_ORIGINS does not have…LECTERN_ORIGINS=https://rooms.example", "mend proxies: all guests count as one address"}, unfit: true,
		},
		"everyone is a proxy": {
			environ: []string{"LECTERN_TRUSTED_PROXIES=0.0.0.0/0", "LECTERN_DATA=" + none}, lines: []string{"note proxies: 0.0.0.0/0…pass for any address"},
		},
		"a file for a folder": {environ: []string{"LECTERN_DATA=" + file}, lines: []string{"mend data: is a file"}, unfit: true},
		"keys that others read": {
			environ: []string{"LECTERN_DATA=" + open}, lines: []string{"mend keys: sign as anyone…chmod 600"}, unfit: true,
		},
		"a key that can be guessed": {
			environ: []string{signingKeys + "=" + weak, "LECTERN_DATA=" + none}, lines: []string{`mend keys: key "guessed" is not random`}, unfit: true,
		},
		"public keys that are none": {
			environ: []string{"LECTERN_PASSPORT_JWKS=" + file, "LECTERN_DATA=" + none}, lines: []string{"mend public keys: public keys of " + file}, unfit: true,
		},
		"public keys that hang": {
			environ: []string{"LECTERN_PASSPORT_JWKS=http://" + taken.Addr().String(), "LECTERN_DATA=" + none}, lines: []string{"mend public keys: deadline exceeded"}, unfit: true,
		},
		"more sockets than files": {
			environ: []string{"LECTERN_DATA=" + none}, args: []string{"--sockets=2000000000"}, lines: []string{"mend files: Set LimitNOFILE="}, unfit: true,
		},
	})
	if _, err := os.Stat(none); err == nil {
		t.Error("the data folder was made")
	}
}

// TestDoctorBesideServer: a server that runs is no fault, and finds its store
// as it was.
func TestDoctorBesideServer(t *testing.T) {
	data := "LECTERN_DATA=" + t.TempDir()
	s := serve(t, data)
	address := func(of string) string { return strings.TrimPrefix(of, "http://") }
	v := visit{environ: []string{data, "LECTERN_LISTEN=" + address(s.address), "LECTERN_OPS_LISTEN=" + address(s.ops)}, lines: []string{
		"ok listeners: LECTERN_LISTEN…a Lectern of this version runs there", "ok listeners: LECTERN_OPS_LISTEN…a Lectern",
		"ok data: is in use by process", "ok data: the schema is up to date", "ok keys: signs",
	}}
	v.pays(t)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	v.lines = []string{"ok listeners: is free", "ok data: no server has it"}
	v.pays(t)
	serve(t, data)

	var told struct {
		Healthy bool
		Checks  []diagnosis
	}
	v.args, v.lines = []string{"--json"}, nil
	if err := json.Unmarshal([]byte(v.pays(t)), &told); err != nil || !told.Healthy || len(told.Checks) < 10 {
		t.Errorf("for programs: %v, %+v", err, told)
	}
}

// TestDoctorShared: what is wrong with servers that instances share.
func TestDoctorShared(t *testing.T) {
	t.Parallel()
	s := newSharing(t, "max_connections=40")
	admin := connect(t, s.postgres.URL())
	for _, statement := range []string{`CREATE ROLE guest LOGIN`, `CREATE ROLE member LOGIN`, `ALTER ROLE member SET statement_timeout = '2s'`,
		`ALTER ROLE member SET lock_timeout = '1s'`, `ALTER ROLE member SET idle_in_transaction_session_timeout = '5s'`, `REVOKE CREATE ON SCHEMA public FROM PUBLIC`} {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	fresh := func(settings ...string) string {
		address, err := s.postgres.Fresh(t.Context(), settings...)
		if err != nil {
			t.Fatal(err)
		}
		return address
	}
	bouncer, err := servers.StartPgBouncer(s.postgres)
	need(t, err)
	t.Cleanup(func() { ended(t, bouncer.Stop()) })
	proxy, err := servers.StartProxy(s.postgres.Addr())
	need(t, err)
	t.Cleanup(proxy.Close)
	if err := proxy.BlackHole(); err != nil {
		t.Fatal(err)
	}
	unsafe, err := servers.StartPostgres("fsync=off", "full_page_writes=off", "max_connections=12")
	need(t, err)
	t.Cleanup(func() { ended(t, unsafe.Remove()) })
	redisOf := func(args ...string) *servers.Redis {
		r, err := servers.StartRedis(args...)
		for tries := 0; err != nil && !errors.Is(err, servers.ErrNotInstalled) && tries < 5; tries++ {
			r, err = servers.StartRedis(args...) // a Cluster takes a second port, which may be in use
		}
		need(t, err)
		t.Cleanup(func() { ended(t, r.Stop()) })
		return r
	}
	locked := redisOf("--requirepass", "s3cret")
	_, port, _ := net.SplitHostPort(s.redis.Addr())
	standIn := redisOf("--replicaof", "127.0.0.1", port)
	of := func(user, address string) string { return strings.Replace(address, "postgres@", user+"@", 1) }
	const pg, rd = "LECTERN_POSTGRES_URL=", "LECTERN_REDIS_URL="
	empty, ready := fresh(), fresh()
	must(t, append(s.environ, pg+ready), "", "migrate")

	good := append(s.environ, pg+ready, "LECTERN_HOSTS=lectern.example", "LECTERN_ORIGINS=https://lectern.example",
		"LECTERN_PUBLIC_URL=https://lectern.example", "LECTERN_TRUSTED_PROXIES=10.0.0.0/8")
	visits(t, map[string]visit{
		"all is well": {lines: []string{
			"ok postgres: PostgreSQL…round trip", "ok postgres: the schema is up to date", "ok postgres: room for 2 instances", "ok postgres: no instance runs",
			"ok postgres: clock is", "ok redis: everything that rooms ask was tried", "ok keys: LECTERN_PASSPORT_KEYS: test signs", "ok names: https://lectern.example",
		}},
		"nothing migrated":      {environ: []string{pg + empty}, lines: []string{"ok postgres: the schema lacks 00001"}},
		"without Redis":         {environ: []string{rd}, lines: []string{"note redis: works alone"}},
		"no keys":               {environ: []string{signingKeys + "="}, lines: []string{"mend keys: lectern keys"}, unfit: true},
		"encryption, no key":    {environ: []string{"LECTERN_PASSPORT_ENCRYPTED=required"}, lines: []string{"mend keys: LECTERN_PASSPORT_ENCRYPTION_KEYS is not set"}, unfit: true},
		"names not set":         {environ: []string{"LECTERN_HOSTS=", "LECTERN_PUBLIC_URL="}, lines: []string{"mend names: browsers are refused…LECTERN_HOSTS=lectern.example"}, unfit: true},
		"database forgets":      {environ: []string{pg + unsafe.URL(), "LECTERN_POSTGRES_CONNECTIONS=12"}, lines: []string{"mend postgres: fsync = off…Set fsync = on", "note postgres: full_page_writes = off", "mend postgres: too few for 1 instance"}, unfit: true},
		"commits do not wait":   {environ: []string{pg + fresh("synchronous_commit = off")}, lines: []string{"mend postgres: synchronous_commit = off"}, unfit: true},
		"cannot be written":     {environ: []string{pg + fresh("default_transaction_read_only = on")}, lines: []string{"mend postgres: default_transaction_read_only = on"}, unfit: true},
		"may not make tables":   {environ: []string{pg + of("guest", empty)}, lines: []string{"mend postgres: may not make tables…GRANT CREATE ON SCHEMA"}, unfit: true},
		"may not write":         {environ: []string{pg + of("guest", ready)}, lines: []string{"mend postgres: may not read and write attendee, claim…GRANT SELECT"}, unfit: true},
		"no such role":          {environ: []string{pg + of("nobody:s3cret", ready)}, lines: []string{`mend postgres: role "nobody" does not exist…Correct the role and the password`}, unfit: true},
		"no such database":      {environ: []string{pg + s.postgres.URL() + "x"}, lines: []string{"mend postgres: does not exist…CREATE DATABASE"}, unfit: true},
		"database is away":      {environ: []string{pg + "postgres://127.0.0.1:1/lectern"}, lines: []string{"mend postgres: connection refused…an instance waits for it"}, unfit: true},
		"network swallows all":  {environ: []string{pg + strings.Replace(ready, s.postgres.Addr(), proxy.Addr(), 1), rd + "redis://" + proxy.Addr()}, lines: []string{"mend postgres: timeout", "mend redis: does not answer"}, unfit: true},
		"PgBouncer, not said":   {environ: []string{pg + strings.TrimSuffix(bouncer.Through(ready), "?default_query_exec_mode=cache_describe")}, lines: []string{"mend postgres: startup parameter…default_query_exec_mode=cache_describe"}, unfit: true},
		"PgBouncer, no limits":  {environ: []string{pg + bouncer.Through(ready)}, lines: []string{"ok postgres: PgBouncer…by the transaction", "note postgres: statement_timeout = 0…ALTER ROLE"}},
		"Redis is away":         {environ: []string{rd + "redis://127.0.0.1:1"}, lines: []string{"mend redis: connection refused"}, unfit: true},
		"Redis, no password":    {environ: []string{rd + locked.URL()}, lines: []string{"mend redis: NOAUTH…redis://:PASSWORD@host"}, unfit: true},
		"Redis, wrong password": {environ: []string{rd + "redis://:s3cretly@" + locked.Addr()}, lines: []string{"mend redis: WRONGPASS"}, unfit: true},
		"Redis is a replica":    {environ: []string{rd + standIn.URL()}, lines: []string{"mend redis: is a replica…redis+sentinel://"}, unfit: true},
		"Redis is a Cluster":    {environ: []string{rd + redisOf("--cluster-enabled", "yes").URL()}, lines: []string{"mend redis: Redis Cluster"}, unfit: true},
		"Redis, few rights": {
			environ: []string{rd + "redis://lectern:x@" + redisOf(strings.Fields("--user lectern on nopass ~lectern:* +set +get")...).Addr()},
			lines:   []string{"mend redis: NOPERM…ACL SETUSER"}, unfit: true,
		},
		"Redis throws away": {
			environ: []string{rd + redisOf("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru").URL()}, lines: []string{"note redis: maxmemory-policy is allkeys-lru"},
		},
	}, good...)

	const stand = `DO $$ BEGIN EXECUTE format('COPY (SELECT) TO %L', current_setting('data_directory') || '/standby.signal'); END $$`
	if _, err := connect(t, unsafe.URL()).Exec(t.Context(), stand); err != nil {
		t.Fatal(err)
	}
	if err := unsafe.Restart(); err != nil {
		t.Fatal(err)
	}
	standby := visit{environ: append(good, pg+unsafe.URL()), lines: []string{"mend postgres: in_recovery = on…Name the primary"}, unfit: true}
	standby.pays(t)

	running := begin(t, append(good, "LECTERN_INSTANCE=a")...)
	readiness(t, running, 200, allUp)
	v := visit{environ: good, lines: []string{"ok postgres: 1 live instance…a (beat"}}
	v.pays(t)
	leavesNothing(t, empty, s.redis.URL())
}

// leavesNothing: no table was made, and of the keys in Redis all that are not
// a room's are to go.
func leavesNothing(t *testing.T, postgres, address string) {
	t.Helper()
	var tables int
	if err := connect(t, postgres).QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&tables); err != nil || tables > 0 {
		t.Errorf("%d tables were made (%v)", tables, err)
	}
	options, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if left, err := client.TTL(t.Context(), key).Result(); err != nil || left < 0 || left > time.Minute {
			t.Errorf("%s stays for %s (%v)", key, left, err)
		}
	}
}

func connect(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// TestKeysAreTold: by their names alone.
func TestKeysAreTold(t *testing.T) {
	key := room.NewKey("s2026")
	v := visit{environ: []string{signingKeys + "=" + key.Reveal()}, lines: []string{"ok keys: s2026 signs; 1 in all"}}
	_, secret, _ := strings.Cut(key.Reveal(), ":")
	if out := v.pays(t); strings.Contains(out, secret) || strings.Contains(out, url.QueryEscape(secret)) {
		t.Errorf("the key is shown:\n%s", out)
	}
}
