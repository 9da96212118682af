package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/lectern-room/lectern/room"
)

// read parses a command line's settings as run does, and checks them.
func read(t *testing.T, environ []string, args ...string) (*config, environment, error) {
	t.Helper()
	var line commandLine
	e := newEnvironment(environ)
	parser, err := kong.New(&line, kong.Vars{"version": ""}, kong.Resolvers(kong.ResolverFunc(e.resolve)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
	e.known = knownNames(parser.Model.Flags)
	c, err := line.Settings.check(e)
	return c, e, err
}

func TestDefaults(t *testing.T) {
	c, _, err := read(t, []string{"LECTERN_LISTEN=", "LECTERN_DRAIN=", "LECTERN_HOSTS=", "HOME=/nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	if c.listen != "127.0.0.1:8080" || c.opsListen != "127.0.0.1:8081" || c.data != "./lectern-data" || !c.guests ||
		c.socketsPerPerson != 8 || c.socketsPerAddress != 0 || c.acceptRate != 0 || c.roomsPerInstructor != 1 || c.codeGuesses != [2]int{5, 300} ||
		c.drain.String() != "20s" || c.logLevel != slog.LevelInfo || len(c.instance) < 16 || c.keys.EncryptionRequired {
		t.Errorf("defaults: %+v", c)
	}
}

func TestWhereSettingsComeFrom(t *testing.T) {
	environ := []string{
		"LECTERN_OPS_LISTEN=", "LECTERN_DRAIN=5s", "LECTERN_INSTANCE=from-environment", "LECTERN_CODE_GUESSES= 7 , 70",
		"LECTERN_GUESTS=false", "LECTERN_PASSPORT_ENCRYPTED=required", "LECTERN_PUBLIC_URL=https://lectern.example.org/",
		"LECTERN_NAME=not-a-setting", "LECTERN_USER=neither",
	}
	c, _, err := read(t, environ, "passport", "--drain=7s", "--user=u")
	if err != nil {
		t.Fatal(err)
	}
	if c.opsListen != "" || c.drain.String() != "7s" || c.instance != "from-environment" || c.codeGuesses != [2]int{7, 70} ||
		c.guests || !c.keys.EncryptionRequired || c.publicURL != "https://lectern.example.org" {
		t.Errorf("settings: %+v", c)
	}
	for text, want := range map[string]time.Duration{"0": 0, "0s": 0, "1h": time.Hour, "8760h": 365 * 24 * time.Hour} {
		if c, _, err := read(t, []string{"LECTERN_RETENTION=" + text}); err != nil || c.retention != want {
			t.Errorf("a retention of %s: %v, %v", text, c.retention, err)
		}
	}
	if c, _, err := read(t, nil, "--ops-listen="); err != nil || c.opsListen != "" {
		t.Errorf("empty flag: %+v, %v", c, err)
	}
}

func TestWrongSettings(t *testing.T) {
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const postgres = "LECTERN_POSTGRES_URL=postgres://u:secret@h/d"
	short := "hidden:" + strings.Repeat("c2VjcmV0", 3)
	for name, test := range map[string]struct {
		environ string
		want    string // in the error
	}{
		"listen":             {"LECTERN_LISTEN=8080", `LECTERN_LISTEN (--listen) is "8080": accepted is host:port`},
		"listen, port":       {"LECTERN_LISTEN=:99999", `":99999"`},
		"listen, name":       {"LECTERN_LISTEN=:http", `":http"`},
		"ops listen":         {"LECTERN_OPS_LISTEN=x", "LECTERN_OPS_LISTEN"},
		"public URL":         {"LECTERN_PUBLIC_URL=lectern.example.org", "accepted is http:// or https://"},
		"public URL, path":   {"LECTERN_PUBLIC_URL=https://example.org/lectern", "LECTERN_PUBLIC_URL"},
		"instance":           {"LECTERN_INSTANCE=a b", "letters, digits"},
		"encrypted":          {"LECTERN_PASSPORT_ENCRYPTED=maybe", `is "maybe": accepted is optional or required`},
		"JWKS, scheme":       {"LECTERN_PASSPORT_JWKS=ftp://example.org/keys", "LECTERN_PASSPORT_JWKS"},
		"JWKS, password":     {"LECTERN_PASSPORT_JWKS=https://u:secret@example.org/keys", `"https://…@example.org/keys"`},
		"guests":             {"LECTERN_GUESTS=perhaps", "true or false"},
		"hosts":              {"LECTERN_HOSTS=*.example.org", `LECTERN_HOSTS: host "*.example.org" is not host[:port]`},
		"origins":            {"LECTERN_ORIGINS=https://example.org,example.org", `LECTERN_ORIGINS: origin "example.org" is not scheme://host[:port]`},
		"proxies":            {"LECTERN_TRUSTED_PROXIES=10.0.0.0/99", "LECTERN_TRUSTED_PROXIES"},
		"sockets":            {"LECTERN_SOCKETS_PER_PERSON=0", "a number from 1"},
		"sockets, address":   {"LECTERN_SOCKETS_PER_ADDRESS=-1", "a number from 0"},
		"guesses":            {"LECTERN_CODE_GUESSES=5", "5,300"},
		"guesses, none":      {"LECTERN_CODE_GUESSES=5,0", "5,300"},
		"guesses, more":      {"LECTERN_CODE_GUESSES=5,6,7", "5,300"},
		"rooms":              {"LECTERN_ROOMS_PER_INSTRUCTOR=many", `is "many"`},
		"drain":              {"LECTERN_DRAIN=20", "a duration such as 20s"},
		"drain, negative":    {"LECTERN_DRAIN=-1s", "a duration such as 20s"},
		"log format":         {"LECTERN_LOG_FORMAT=xml", "accepted is text or json"},
		"log level":          {"LECTERN_LOG_LEVEL=loud", "debug, info, warn or error"},
		"Postgres":           {"LECTERN_POSTGRES_URL=mysql://u:secret@h/d?password=secret", `LECTERN_POSTGRES_URL (--postgres-url) is "mysql://…@h/d": accepted is a URL that begins with postgres:// or postgresql://`},
		"Postgres, words":    {"LECTERN_POSTGRES_URL=host=h password=secret", `is "…": accepted is a URL`},
		"Postgres, file":     {"LECTERN_POSTGRES_URL_FILE=" + file("mysql", "mysql://u:secret@h/d\n"), `LECTERN_POSTGRES_URL (--postgres-url) is "mysql://…@h/d"`},
		"Postgres, no file":  {"LECTERN_POSTGRES_URL_FILE=" + filepath.Join(folder, "none"), "LECTERN_POSTGRES_URL_FILE: "},
		"Postgres, pool":     {"LECTERN_POSTGRES_CONNECTIONS=3", "LECTERN_POSTGRES_CONNECTIONS (--postgres-connections) is \"3\": accepted is a number from 4 to"},
		"Redis":              {postgres + "\nLECTERN_REDIS_URL=http://:secret@h", `LECTERN_REDIS_URL (--redis-url) is "http://…@h": accepted is a URL that begins with redis:// or rediss:// or redis+sentinel:// or unix://`},
		"Redis, no scheme":   {postgres + "\nLECTERN_REDIS_URL=h:6379", "accepted is a URL that begins with redis://"},
		"Redis alone":        {"LECTERN_REDIS_URL=redis://:secret@h", "LECTERN_REDIS_URL (--redis-url) is \"redis://…@h\": accepted is a URL only beside LECTERN_POSTGRES_URL"},
		"Redis, prefix":      {"LECTERN_REDIS_PREFIX=a b", `LECTERN_REDIS_PREFIX (--redis-prefix) is "a b": accepted is 1 to 64 letters`},
		"accept rate":        {"LECTERN_ACCEPT_RATE=-1", "LECTERN_ACCEPT_RATE (--accept-rate) is \"-1\": accepted is a number from 0"},
		"retention":          {"LECTERN_RETENTION=10ms", `LECTERN_RETENTION (--retention) is "10ms": accepted is 0, for ever, or a duration of a second or more`},
		"retention, words":   {"LECTERN_RETENTION=a year", "such as 8760h"},
		"retention, past":    {"LECTERN_RETENTION=-2h", "a second or more"},
		"keys":               {signingKeys + "=" + short, `LECTERN_PASSPORT_KEYS: key "hidden" has 18 bytes`},
		"encryption keys":    {encryptionKeys + "=" + short, "; each key has exactly 32 bytes"},
		"keys, file":         {signingKeys + "_FILE=" + file("short", short+"\n"), `LECTERN_PASSPORT_KEYS: key "hidden" has 18 bytes`},
		"keys, no file":      {signingKeys + "_FILE=" + filepath.Join(folder, "none"), "LECTERN_PASSPORT_KEYS_FILE"},
		"keys, empty file":   {signingKeys + "_FILE=" + file("empty", "\n"), "is empty"},
		"keys, huge file":    {signingKeys + "_FILE=" + file("huge", strings.Repeat("x", maxSecret+1)), "more than"},
		"keys, both sources": {signingKeys + "=" + short + "\n" + signingKeys + "_FILE=" + file("both", short), "both set"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := read(t, strings.Split(test.environ, "\n"))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "c2VjcmV0") || strings.Contains(err.Error(), "secret") {
				t.Fatalf("a secret is shown: %v", err)
			}
		})
	}
	_, _, err := read(t, []string{"LECTERN_HOSTS=localhost", "LECTERN_ORIGINS=x"})
	if err == nil || strings.Contains(err.Error(), "LECTERN_HOSTS") {
		t.Errorf("wrong origins: %v", err)
	}
	_, _, err = read(t, []string{"LECTERN_DRAIN=x", "LECTERN_GUESTS=x"})
	if err == nil || !strings.Contains(err.Error(), "LECTERN_DRAIN") || !strings.Contains(err.Error(), "LECTERN_GUESTS") {
		t.Errorf("not every wrong setting is named: %v", err)
	}
}

func TestSecretsFromFiles(t *testing.T) {
	first, second := room.NewKey("first"), room.NewKey("second")
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte(first.Reveal()+","+second.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := filepath.Join(t.TempDir(), "postgres")
	if err := os.WriteFile(address, []byte("postgres://u:p@h/d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := read(t, []string{signingKeys + "_FILE=" + file, "LECTERN_POSTGRES_URL_FILE=" + address})
	if err != nil {
		t.Fatal(err)
	}
	if c.postgres.URL != "postgres://u:p@h/d" {
		t.Errorf("Postgres at %q", c.postgres.URL)
	}
	if len(c.keys.Signing) != 2 || c.keys.Signing[1].Reveal() != second.Reveal() || c.keys.Encryption != nil {
		t.Errorf("keys %v", c.keys)
	}
}

// Without a store of its own, an instance is one of several, for which only
// their operator can speak.
func TestDefaultsOnPostgres(t *testing.T) {
	for name, test := range map[string]struct {
		environ []string
		args    []string
		want    string
	}{
		"environment": {environ: []string{"LECTERN_POSTGRES_URL=postgres://u:p@h/d"}, want: "postgres://u:p@h/d"},
		"flag":        {args: []string{"--postgres-url=postgresql://u@h/d"}, want: "postgresql://u@h/d"},
		"both":        {[]string{"LECTERN_POSTGRES_URL=postgres://u:p@h/d"}, []string{"--postgres-url=postgres://u@other/d"}, "postgres://u@other/d"},
		"socket":      {args: []string{"--postgres-url=postgres:///lectern?host=/run/postgresql"}, want: "postgres:///lectern?host=/run/postgresql"},
	} {
		t.Run(name, func(t *testing.T) {
			c, e, err := read(t, append(test.environ, "LECTERN_REDIS_URL=redis+sentinel://:p@h1:26379,h2:26379/main"), test.args...)
			if err != nil {
				t.Fatal(err)
			}
			if c.postgres.URL != test.want || c.postgres.Connections != 16 || c.redis.URL != "redis+sentinel://:p@h1:26379,h2:26379/main" || c.redis.Prefix != "lectern:" {
				t.Errorf("servers %+v, %+v", c.postgres, c.redis)
			}
			if c.embedded() || c.guests {
				t.Errorf("embedded %v, guests %v", c.embedded(), c.guests)
			}
			if !slices.Contains(e.known, "LECTERN_REDIS_URL_FILE") {
				t.Error("a file is not known that may hold a URL")
			}
		})
	}
	if c, _, err := read(t, []string{"LECTERN_POSTGRES_URL=postgres://h/d", "LECTERN_GUESTS=true"}); err != nil || !c.guests {
		t.Errorf("guests that were asked for: %v", err)
	}
}

func TestPasswordsAreNoFlags(t *testing.T) {
	for _, flag := range []string{
		"--postgres-url=postgres://u:secret@h/d", "--postgres-url=postgres://h/d?user=u&password=secret", "--postgres-url=host=h password=secret",
		"--redis-url=redis://:secret@h", "--redis-url=rediss://u:secret@h/0",
	} {
		_, _, err := read(t, nil, flag)
		if err == nil || !strings.Contains(err.Error(), "accepted is a URL without a password") || !strings.Contains(err.Error(), "_URL_FILE") {
			t.Errorf("%s: %v", flag, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: a secret is shown: %v", flag, err)
		}
	}
}

func TestSecretsAreNoFlags(t *testing.T) {
	for _, flag := range []string{"--passport-keys=x", "--passport-encryption-keys=x"} {
		if got := try(t, nil, "", flag); got.err == nil || !strings.Contains(got.err.Error(), "unknown flag") {
			t.Errorf("%s: %v", flag, got.err)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	_, e, err := read(t, []string{"LECTERN_LISTENS=x", "LECTERN_PASSPORT_KEY=x", "LECTERN_PASSPORT_KEYS_FILES=x", "LECTERN_DRAIN=1s", ownPassport + "=x", "LECTURE=x"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e.warnUnknown(slog.New(slog.NewTextHandler(&out, nil)))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("warnings:\n%s", out.String())
	}
	for i, want := range []string{"name=LECTERN_LISTENS nearest=LECTERN_LISTEN", "name=LECTERN_PASSPORT_KEY nearest=LECTERN_PASSPORT_KEYS", "name=LECTERN_PASSPORT_KEYS_FILES nearest=LECTERN_PASSPORT_KEYS_FILE"} {
		if !strings.HasSuffix(lines[i], want) {
			t.Errorf("%s does not say %s", lines[i], want)
		}
	}
}
