package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// farRedis is a round trip from which a queue, a lock and a bus gain little;
// near by it takes a tenth of that.
const farRedis = 10 * time.Millisecond

// lookAtRedis looks at the server, and tries what an instance does there.
func (d *doctor) lookAtRedis(ctx context.Context, c *chart) {
	r, err := openRedis(d.config, d.log)
	if err != nil {
		c.mend("Accepted is redis://, rediss://, redis+sentinel:// or unix://, as the README has them", "%v", err)
		return
	}
	if r == nil {
		c.note("Set LECTERN_REDIS_URL if there is to be more than one instance", "LECTERN_REDIS_URL is not set: an instance works alone; several on one Postgres are right, but slower")
		return
	}
	defer r.Close()
	state, err := r.State(ctx)
	if err != nil {
		c.mend(d.redisMend(err), "Redis does not answer: %v: rooms go on without it, slower", err)
		return
	}
	about := fmt.Sprintf("Redis %s, round trip %s", state.Version, state.RoundTrip.Round(10*time.Microsecond))
	switch {
	case state.Mode == "cluster":
		c.mend("Name a single server, or one with replicas behind Sentinels", "%s is a Redis Cluster, which does not carry a room's names together", about)
	case olderRedis(state.Version):
		c.mend("Take Redis 6.2 or later", "%s is too old", about)
	case state.Role != "master":
		c.mend("Name the master, or its Sentinels: redis+sentinel://host:26379/name", "%s is a %s, which cannot be written", about, state.Role)
	case state.Refused != nil:
		c.mend(d.redisMend(state.Refused), "%s does not do what rooms need: %v", about, state.Refused)
	case state.RoundTrip > farRedis:
		c.note("Put it near the instances", "%s: a join asks it three times", about)
	default:
		c.ok("%s; everything that rooms ask was tried", about)
	}
	if state.Policy != "" && state.Policy != "noeviction" {
		c.note("Give it a server of its own, or set maxmemory-policy noeviction", "maxmemory-policy is %s: when its memory is full, it throws away queues and locks, and joins take a second", state.Policy)
	}
}

// olderRedis tells whether a version is before 6.2, the first with all that is
// asked of it.
func olderRedis(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err == nil && (major < 6 || major == 6 && minor < 2)
}

// redisMend says what to do about what Redis, or the way there, says.
func (d *doctor) redisMend(err error) string {
	says := func(word string) bool { return strings.Contains(err.Error(), word) }
	prefix := d.redis.Prefix
	switch {
	case says("NOPERM"):
		return fmt.Sprintf("Give its user these rights: ACL SETUSER … ~%[1]s* &%[1]s* +xadd +expire +xrange +xdel +set +get +del +evalsha +eval +multi +exec +publish +subscribe", prefix)
	case says("NOAUTH"):
		return "Put the password into LECTERN_REDIS_URL or its file: redis://:PASSWORD@host, with percent signs for what is special in it"
	case says("WRONGPASS"):
		return "Correct the user and the password in LECTERN_REDIS_URL: redis://USER:PASSWORD@host, with percent signs for what is special in them"
	case says("unknown command"):
		return "Take Redis 6.2 or later"
	case says("READONLY"):
		return "Name the master, or its Sentinels: redis+sentinel://host:26379/name"
	case says("OOM"):
		return "Give it more memory: nothing can be written"
	}
	return "See that it runs, and that this machine reaches it within 200 ms; rediss:// where it takes TLS alone"
}
