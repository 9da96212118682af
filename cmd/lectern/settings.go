package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lectern-room/lectern/hub"
	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
)

// settings are what an instance is told from outside. Each is a flag, and an
// environment variable of the same name in capitals after LECTERN_. Secrets
// are in the environment alone: see environment.secret. A field that may hold
// one (secret) is what the flag says; the environment is asked elsewhere.
type settings struct {
	Listen              string `default:"127.0.0.1:8080" help:"Public listener; port 0 picks a free one."`
	OpsListen           string `default:"127.0.0.1:8081" may:"empty" help:"Listener for metrics, profiles and health; port 0 too; empty: none."`
	PublicURL           string `placeholder:"URL" help:"The address that people reach, for links and QR codes; default: from the request."`
	Data                string `default:"./lectern-data" help:"Folder of the embedded store and of generated keys."`
	PostgresURL         string `secret:"" placeholder:"URL" help:"Keep rooms in Postgres, not in the embedded store. A URL with a password comes from the environment."`
	PostgresConnections string `default:"16" help:"Connections to Postgres, at most."`
	RedisURL            string `secret:"" placeholder:"URL" help:"Share rooms with other instances on the same Postgres. A URL with a password comes from the environment."`
	RedisPrefix         string `default:"lectern:" help:"What the names of everything in Redis begin with."`
	Instance            string `placeholder:"ID" help:"This instance's id; default: random."`
	PassportEncrypted   string `default:"optional" help:"optional, or required: plain signed passports are refused."`
	PassportJWKS        string `name:"passport-jwks" placeholder:"SOURCE" help:"File or URL of public keys (EdDSA, ES256, RS256) that sign passports."`
	Guests              string `placeholder:"BOOL" help:"Guest sign-in for students; default: true with the embedded store, else false."`
	Hosts               string `placeholder:"LIST" help:"Host names of the public listener, host[:port]; default: loopback names."`
	Origins             string `placeholder:"LIST" help:"Sites whose pages may call, scheme://host[:port]; default: loopback names with the embedded store, else none."`
	TrustedProxies      string `placeholder:"LIST" help:"Networks from which X-Forwarded-For and -Proto are believed."`
	SocketsPerPerson    string `default:"8" help:"Sockets that one person may have."`
	SocketsPerAddress   string `default:"0" help:"Sockets that one address may have; 0: no limit, since a lecture hall is one address."`
	AcceptRate          string `default:"0" help:"New sockets a second; the rest are told when to come. 0: no limit."`
	CodeGuesses         string `default:"5,300" help:"Wrong join codes a minute: a person, an address."`
	RoomsPerInstructor  string `default:"1" help:"Rooms that one instructor may have scheduled or open."`
	Drain               string `default:"20s" help:"Time to leave after SIGTERM."`
	Retention           string `default:"0" help:"How long closed rooms are kept, as 8760h; 0: for ever."`
	LogFormat           string `placeholder:"FORMAT" help:"text or json; default: text on a terminal."`
	LogLevel            string `default:"info" help:"debug, info, warn or error."`
}

// The settings that are secret.
const (
	signingKeys    = "LECTERN_PASSPORT_KEYS"
	encryptionKeys = "LECTERN_PASSPORT_ENCRYPTION_KEYS"
)

// A config is settings that fit together.
type config struct {
	listen, opsListen string
	publicURL         string
	data              string
	postgres          store.PostgresConfig // no URL: the embedded store
	redis             store.RedisConfig    // no URL: none
	instance          room.InstanceID
	keys              room.KeyConfig // what is not configured is empty
	jwks              string
	guests            bool
	allow             *hub.Allowlist
	proxies           hub.Proxies

	socketsPerPerson, socketsPerAddress, roomsPerInstructor int

	acceptRate int // a second; 0: no limit
	// codeGuesses are those of a person and of an address, a minute.
	codeGuesses [2]int
	drain       time.Duration
	retention   time.Duration // 0: for ever

	logFormat string
	logLevel  slog.Level
}

// anyPort tells whether the kernel chooses a port.
func (c *config) anyPort() bool {
	return strings.HasSuffix(c.listen, ":0") || strings.HasSuffix(c.opsListen, ":0")
}

// embedded tells whether the store is the instance's own.
func (c *config) embedded() bool { return c.postgres.URL == "" }

// check reads the settings. Its error names each one that is wrong, its value
// unless it is secret, and what is accepted.
func (s *settings) check(e environment) (*config, error) {
	var r reader
	c := &config{
		listen:             r.address("listen", s.Listen),
		opsListen:          s.OpsListen,
		publicURL:          r.publicURL("public-url", s.PublicURL),
		data:               s.Data,
		instance:           room.InstanceID(s.Instance),
		jwks:               r.source("passport-jwks", s.PassportJWKS),
		socketsPerPerson:   r.number("sockets-per-person", s.SocketsPerPerson, 1),
		socketsPerAddress:  r.number("sockets-per-address", s.SocketsPerAddress, 0),
		roomsPerInstructor: r.number("rooms-per-instructor", s.RoomsPerInstructor, 1),
		acceptRate:         r.number("accept-rate", s.AcceptRate, 0),
		drain:              r.duration("drain", s.Drain),
		retention:          r.retention("retention", s.Retention),
		logFormat:          r.oneOf("log-format", s.LogFormat, "", "text", "json"),
	}
	if s.OpsListen != "" {
		r.address("ops-listen", s.OpsListen)
	}
	c.postgres = store.PostgresConfig{
		URL:         r.server(e, "postgres-url", s.PostgresURL, "postgres", "postgresql"),
		Connections: r.number("postgres-connections", s.PostgresConnections, store.LeastConnections),
	}
	c.redis = store.RedisConfig{
		URL:    r.server(e, "redis-url", s.RedisURL, "redis", "rediss", "redis+sentinel", "unix"),
		Prefix: r.prefix("redis-prefix", s.RedisPrefix),
	}
	if c.embedded() && c.redis.URL != "" {
		r.wrong("redis-url", hidePassword(c.redis.URL), "a URL only beside LECTERN_POSTGRES_URL: an embedded store is one instance's")
	}
	c.guests = r.boolean("guests", cmp.Or(s.Guests, strconv.FormatBool(c.embedded())))
	if c.instance == "" {
		c.instance = room.InstanceID(strings.ToLower(room.NewToken()))
	}
	if len(c.instance) > 64 || strings.Trim(strings.ToLower(string(c.instance)), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		r.wrong("instance", s.Instance, "1 to 64 letters, digits, - and _")
	}
	if err := c.logLevel.UnmarshalText([]byte(s.LogLevel)); err != nil {
		r.wrong("log-level", s.LogLevel, "debug, info, warn or error")
	}
	c.codeGuesses = r.guesses("code-guesses", s.CodeGuesses)
	c.allow, c.proxies = r.visitors(s, c.embedded())
	c.keys = r.keys(e)
	c.keys.EncryptionRequired = r.oneOf("passport-encrypted", s.PassportEncrypted, "optional", "required") == "required"
	return c, errors.Join(r.errs...)
}

// A reader reads settings and keeps what is wrong with them.
type reader struct{ errs []error }

func (r *reader) wrong(flag, value, accepted string) {
	r.errs = append(r.errs, fmt.Errorf("%s (--%s) is %q: accepted is %s", environmentName(flag), flag, value, accepted))
}

func (r *reader) prefix(flag, text string) string {
	if text == "" || len(text) > 64 || strings.Trim(strings.ToLower(text), "abcdefghijklmnopqrstuvwxyz0123456789-_.:") != "" {
		r.wrong(flag, text, "1 to 64 letters, digits, and - _ . :")
	}
	return text
}

func (r *reader) boolean(flag, text string) bool {
	value, err := strconv.ParseBool(text)
	if err != nil {
		r.wrong(flag, text, "true or false")
	}
	return value
}

func (r *reader) number(flag, text string, least int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > 1_000_000 {
		r.wrong(flag, text, fmt.Sprintf("a number from %d to 1000000", least))
	}
	return n
}

func (r *reader) duration(flag, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		r.wrong(flag, text, "a duration such as 20s or 1m")
	}
	return d
}

func (r *reader) oneOf(flag, text string, accepted ...string) string {
	if !slices.Contains(accepted, text) {
		r.wrong(flag, text, strings.Join(slices.DeleteFunc(accepted, func(s string) bool { return s == "" }), " or "))
	}
	return text
}

func (r *reader) guesses(flag, text string) (most [2]int) {
	parts := list(text)
	for i := range most {
		var err error
		if len(parts) == len(most) {
			most[i], err = strconv.Atoi(parts[i])
		}
		if len(parts) != len(most) || err != nil || most[i] < 1 {
			r.wrong(flag, text, "two numbers from 1, a person's and an address's, such as 5,300")
			return most
		}
	}
	return most
}

// visitors reads who may call. Only the embedded store makes a server that is
// this machine's own, whose pages may call it without being named.
func (r *reader) visitors(s *settings, embedded bool) (*hub.Allowlist, hub.Proxies) {
	origins := list(s.Origins)
	if origins == nil && !embedded {
		origins = []string{}
	}
	allow, err := hub.NewAllowlist(list(s.Hosts), origins)
	if err != nil {
		r.errs = append(r.errs, err)
	}
	proxies, err := hub.ParseProxies(list(s.TrustedProxies))
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("LECTERN_TRUSTED_PROXIES: %w", err))
	}
	return allow, proxies
}

func (r *reader) keys(e environment) room.KeyConfig {
	parse := func(name, size string) []room.Key {
		text, err := e.secret(name)
		if text == "" && err == nil {
			return nil
		}
		var keys []room.Key
		if err == nil {
			if keys, err = room.ParseKeys(text); err != nil {
				err = fmt.Errorf("%s: %w; each key has %s 32 bytes", name, err, size)
			}
		}
		if err != nil {
			r.errs = append(r.errs, err)
		}
		return keys
	}
	return room.KeyConfig{Signing: parse(signingKeys, "at least"), Encryption: parse(encryptionKeys, "exactly")}
}

// list reads a comma-separated list, nil if there is nothing in it.
func list(text string) (entries []string) {
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			entries = append(entries, entry)
		}
	}
	return entries
}
