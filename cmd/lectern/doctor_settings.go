package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/lectern-room/lectern/room"
)

// A doctor is what the checks look at. It is static while they do.
type doctor struct {
	*config  // what could be read of the settings
	settings *settings
	environ  environment
	wrong    []error // what could not
	sockets  int
	log      *slog.Logger // for what is opened, which says nothing: the lines do
}

func newDoctor(p *program, sockets int) *doctor {
	c, err := p.settings.check(p.environ)
	d := &doctor{config: c, settings: p.settings, environ: p.environ, sockets: sockets, log: slog.New(slog.DiscardHandler)}
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		d.wrong = several.Unwrap()
	}
	return d
}

// checks lists all that is looked at, in the order in which it is told.
func (d *doctor) checks() []check {
	checks := []check{
		{"settings", d.lookAtSettings}, {"keys", d.lookAtKeys}, {"public keys", d.lookAtPublicKeys},
		{"names", d.lookAtNames}, {"proxies", d.lookAtProxies}, {"listeners", d.lookAtListeners}, {"leaving", d.lookAtLeaving},
	}
	switch {
	case d.isWrong("postgres-url"):
	case d.embedded():
		checks = append(checks, check{"data", d.lookAtData})
	default:
		checks = append(checks, check{"postgres", d.lookAtPostgres})
	}
	if !d.isWrong("postgres-url") && !d.isWrong("redis-url") && !d.embedded() {
		checks = append(checks, check{"redis", d.lookAtRedis})
	}
	return append(checks, check{"clock", d.lookAtClock}, check{"files", d.lookAtFiles}, check{"network", d.lookAtNetwork}, check{"memory", d.lookAtMemory})
}

// isWrong tells whether a setting could not be read.
func (d *doctor) isWrong(flag string) bool {
	return slices.ContainsFunc(d.wrong, func(err error) bool { return strings.HasPrefix(err.Error(), environmentName(flag)) })
}

func (d *doctor) lookAtSettings(_ context.Context, c *chart) {
	for _, err := range d.wrong {
		found, accepted, told := strings.Cut(err.Error(), ": accepted is ")
		if told {
			c.mend("Accepted is "+accepted, "%s", found)
		} else {
			c.mend("Correct it, or take it out", "%s", found)
		}
	}
	for name, nearest := range d.environ.unknown() {
		if distance(name, nearest) <= typo {
			c.mend("Call it "+nearest+", or take it out", "%s is no setting, and does nothing", name)
		} else {
			c.note("Take it out, if it was meant for this version; the nearest name is "+nearest, "%s is no setting, and does nothing", name)
		}
	}
	var set []string
	for _, name := range slices.Sorted(maps.Keys(d.environ.values)) {
		if slices.Contains(d.environ.known, name) && d.environ.values[name] != "" {
			set = append(set, name)
		}
	}
	switch {
	case len(d.wrong) > 0:
	case len(set) == 0:
		c.ok("all accepted; the environment sets none")
	default:
		c.ok("all accepted; the environment sets %s", strings.Join(set, ", "))
	}
	for _, name := range []string{signingKeys, encryptionKeys, "LECTERN_POSTGRES_URL", "LECTERN_REDIS_URL"} {
		d.lookAtSecretFile(c, name+"_FILE")
	}
}

// typo is how many letters of a name may be wrong for it to be meant.
const typo = 2

// readableByAll is the mode of files that anyone on the machine may read.
const readableByAll = 0o004

// lookAtSecretFile looks at who may read a secret. In a container nobody else
// is: Kubernetes gives such files to everyone there, and so does Compose, which
// mounts a file as it is, for whichever user the container has.
func (d *doctor) lookAtSecretFile(c *chart, name string) {
	file := d.environ.values[name]
	info, err := os.Stat(file)
	if file == "" || err != nil || info.Mode()&readableByAll == 0 || d.inKubernetes() || inContainer() {
		return
	}
	c.note("chmod 600 "+file+", and give it to the server's user", "%s: anyone on this machine may read %s", name, file)
}

// inKubernetes tells whether this is a container there, which is told of its
// API so.
func (d *doctor) inKubernetes() bool { return d.environ.inKubernetes() }

// refusesBrowsers tells whether pages are refused under the names that the
// settings have. Those of an embedded store may call under loopback's names
// without being named, as those of a container do whose port is published.
func (d *doctor) refusesBrowsers() bool {
	switch {
	case d.embedded() && isLoopback(d.listen):
		return false
	case d.settings.Hosts == "":
		return true
	case d.settings.Origins != "":
		return false
	}
	return slices.ContainsFunc(list(d.settings.Hosts), func(host string) bool {
		return d.allow.Allows(&url.URL{Scheme: "http", Host: host}) != nil
	})
}

// lookAtNames looks at who may call, and whether people who are sent there by
// links are among them.
func (d *doctor) lookAtNames(_ context.Context, c *chart) {
	if d.isWrong("hosts") || d.isWrong("origins") || d.isWrong("public-url") {
		return
	}
	host, origin := "lectern.example", "https://lectern.example"
	public, err := url.Parse(d.publicURL)
	if err == nil && public.Host != "" {
		host, origin = public.Host, d.publicURL
	}
	how := "Set LECTERN_HOSTS=" + host + " and LECTERN_ORIGINS=" + origin
	switch {
	case d.refusesBrowsers():
		c.mend(how, "browsers are refused: LECTERN_HOSTS and LECTERN_ORIGINS do not say by which names they call this server")
		return
	case d.publicURL == "" && d.embedded() && isLoopback(d.listen):
		c.ok("this machine alone reaches the server, as localhost")
		return
	case d.publicURL == "":
		c.note("Set LECTERN_PUBLIC_URL to the address that people reach: https://…", "links and QR codes carry the name by which whoever opened the room called the server")
		return
	}
	if err := d.allow.Allows(public); err != nil {
		setting := "LECTERN_HOSTS"
		if refusal := new(room.Refusal); errors.As(err, &refusal) && refusal.Field == "origin" {
			setting = "LECTERN_ORIGINS"
		}
		c.mend(how, "browsers are refused at LECTERN_PUBLIC_URL=%s, which %s does not have", d.publicURL, setting)
		return
	}
	if public.Scheme == "http" && !isLoopback(public.Host) {
		c.note("Put a proxy with TLS in front, and set LECTERN_PUBLIC_URL=https://"+public.Host, "passports go over the network for anyone to read: LECTERN_PUBLIC_URL=%s", d.publicURL)
		return
	}
	c.ok("people reach %s, and its pages may call", d.publicURL)
}
