package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

const (
	// killRounds are lectures, in each of which an instance is killed.
	killRounds = 2
	// killStudents ask again and again for killSeats.
	killStudents = 300
	killSeats    = 240
	// killAfter is when the room is busy and there are seats left; goOn is
	// how long students keep asking then, while the lock stays taken.
	killAfter = 300 * time.Millisecond
	goOn      = 1500 * time.Millisecond
	// lockExpires is when the lock of a dead instance runs out by itself.
	lockExpires = 5 * time.Second
	// answeredWithin is how long anyone may wait whose instance lives.
	answeredWithin = 2 * time.Second
	// offlineWithin is how soon those of a dead instance are offline.
	offlineWithin = 20 * time.Second
)

// TestDrainerIsKilled kills the instance that has a room's lock, and so
// decides for all, while students keep asking.
func TestDrainerIsKilled(t *testing.T) {
	k := &killing{cluster: newCluster(t, 0), users: map[string]*instance{}}
	k.client = redis.NewClient(&redis.Options{Addr: k.redis.Addr()})
	t.Cleanup(func() { ended(t, k.client.Close()) })
	for range 2 {
		k.addKnown()
	}
	var all []string
	for round := range killRounds {
		k.addKnown()
		l, seen := k.play(round)
		if round == killRounds-1 {
			seen += fmt.Sprintf("; those who stayed away were offline %v after", l.checkOffline())
		}
		all = append(all, seen)
	}
	if !t.Failed() {
		roomtest.Proved(t, "%d kills of the instance that has a room's lock, %d students asking: %s", killRounds, killStudents, strings.Join(all, "; "))
	}
}

// A killing is a cluster that tells who has a lock: each instance is a user
// of its own to Redis.
type killing struct {
	*cluster
	client *redis.Client
	users  map[string]*instance
}

func (k *killing) addKnown() {
	k.t.Helper()
	user := fmt.Sprintf("i%d", len(k.users))
	if err := k.client.Do(k.t.Context(), "ACL", "SETUSER", user, "on", "nopass", "~*", "&*", "+@all").Err(); err != nil {
		k.t.Fatal(err)
	}
	k.users[user] = k.add(fmt.Sprintf("LECTERN_REDIS_URL=redis://%s:any@%s", user, k.redis.Addr()))
}

// owner returns the instance that has a connection to Redis, nil if it is
// gone.
func (k *killing) owner(addr string) *instance {
	k.t.Helper()
	clients, err := k.client.ClientList(k.t.Context()).Result()
	if err != nil {
		k.t.Fatal(err)
	}
	for client := range strings.Lines(clients) {
		if !strings.Contains(client, " addr="+addr+" ") {
			continue
		}
		_, user, _ := strings.Cut(client, " user=")
		user, _, _ = strings.Cut(user, " ")
		return k.users[user]
	}
	return nil
}

// A bereaved lecture is one during which an instance was killed.
type bereaved struct {
	*lecture
	among  *killing
	pupils []*pupil
	dead   *instance
	at     time.Time
}

// play has students ask and kills whoever decides for them. It says what was
// seen.
func (k *killing) play(round int) (*bereaved, string) {
	k.t.Helper()
	l := &bereaved{lecture: k.instances[0].open(fmt.Sprintf("t%d", round), killSeats), among: k}
	l.pupils = k.enrol(fmt.Sprintf("s%d", round), killStudents)
	watchers, instances := k.watch(l.lecture), slices.Clone(k.instances)
	redis := k.listenIn()

	ctx, leave := context.WithCancel(k.t.Context())
	defer leave()
	var asking sync.WaitGroup
	for n, p := range l.pupils {
		asking.Go(func() { l.keepAsking(ctx, p, n, instances) })
	}
	<-time.After(killAfter)
	l.dead = k.catch(redis, l.id)
	l.at = k.lose(l.dead)
	l.lecture.instance = k.instances[0]
	<-time.After(goOn)
	leave()
	asking.Wait()
	lost := slices.Index(instances, l.dead)
	return l, l.check(k.converge(l.lecture, slices.Delete(watchers, lost, lost+1), time.Now()))
}

// catch stops an instance dead that has the room's lock, somewhere between
// getting it and giving it back.
func (k *killing) catch(redis *eavesdropper, id room.ID) *instance {
	k.t.Helper()
	lock := "lectern:" + string(id) + ":lock"
	holds := func(value string) bool { return k.client.Get(k.t.Context(), lock).Val() == value }
	for {
		from, words := redis.next()
		if words[0] != "set" || words[1] != lock || !holds(words[2]) {
			continue
		}
		holder := k.owner(from)
		if holder == nil {
			continue
		}
		<-time.After(rand.N(4 * time.Millisecond)) // it reads, decides, saves, tells
		if err := holder.process.Signal(syscall.SIGSTOP); err != nil {
			k.t.Fatal(err)
		}
		if holds(words[2]) {
			return holder
		}
		if err := holder.process.Signal(syscall.SIGCONT); err != nil {
			k.t.Fatal(err)
		}
	}
}

// keepAsking asks until ctx is done, and elsewhere once the instance is gone;
// every fifth student stays away then.
func (l *bereaved) keepAsking(ctx context.Context, p *pupil, n int, instances []*instance) {
	pause := rand.N(3 * killAfter) // so that there are first seats to give all the while
	for {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = askAgain
		if p.ask(l.code) {
			continue
		}
		if n%5 == 0 {
			p.err = nil
			return
		}
		for _, other := range instances {
			if p.err = p.connect(l.among.cluster, other); p.err == nil {
				break
			}
		}
	}
}

// check looks what became of everyone, and says it.
func (l *bereaved) check(behind time.Duration) string {
	l.t.Helper()
	outcomes := l.among.check(l.lecture, killSeats, l.pupils)
	wait := latencyOf(waits(l.pupils, func(a asking) bool { return a.at != l.dead && a.to.After(l.at) }))
	most := bound(l.t, answeredWithin, lockExpires)
	if wait.Max > float64(most.Milliseconds()) {
		l.t.Errorf("someone waited %v ms for an instance that lives", wait.Max)
	}
	for _, p := range l.pupils {
		for _, a := range p.asked {
			if home := p.asked[0].at; home != l.dead && a.at != home {
				l.t.Errorf("%s lost the socket of an instance that lives", p.user)
			}
			tooBusy := a.answer.Code == string(room.CodeUnavailable) && a.to.Sub(a.from) < most // which it may be in the short form
			if a.answer.Type != "joined" && a.answer.Code != string(room.CodeRoomFull) && !tooBusy {
				l.t.Errorf("%s was answered %+v after %v, %v after the kill", p.user, a.answer, a.to.Sub(a.from), a.to.Sub(l.at))
			}
		}
	}
	if stored, _ := l.among.truth(l.id); len(stored) != killSeats {
		l.t.Errorf("%d of %d seats are taken", len(stored), killSeats)
	}
	l.among.checkLog(l.id)
	return fmt.Sprintf("told %v; others waited %v ms (may be %v); the watchers were right %v after the last answer", outcomes, wait, most, behind)
}

// checkLog looks for a command that was decided twice, and for a hole.
func (c *cluster) checkLog(id room.ID) {
	c.t.Helper()
	entries := c.log(id)
	decided := map[room.CommandID]int64{}
	for n, e := range entries {
		if e.Version != int64(n)+1 {
			c.t.Fatalf("version %d comes after %d", e.Version, n)
		}
		for _, a := range e.Answers {
			if before, twice := decided[a.Command]; twice {
				c.t.Errorf("command %s was decided in version %d and in version %d", a.Command, before, e.Version)
			}
			decided[a.Command] = e.Version
		}
	}
	c.t.Logf("%d commands in %d versions", len(decided), len(entries))
}

// checkOffline waits until those who have stayed away are offline, and looks
// until when the record has them. It returns how long it waited.
func (l *bereaved) checkOffline() (took time.Duration) {
	l.t.Helper()
	away := map[room.UserID]bool{}
	for _, p := range l.pupils {
		if p.at == l.dead && p.answer().Type == "joined" {
			away[p.user] = true
		}
	}
	if len(away) == 0 {
		l.t.Fatal("nobody has stayed away")
	}
	eventually(l.t, func() string {
		stored, _ := l.among.truth(l.id)
		for _, e := range stored {
			if e.Online && away[e.User] {
				return fmt.Sprintf("%s is shown online", e.User)
			}
		}
		return ""
	})
	if took = time.Since(l.at); took > offlineWithin {
		l.t.Errorf("they were shown online for %v", took)
	}
	for _, a := range l.attendance() {
		if !away[a.User] {
			continue
		}
		last := a.Intervals[len(a.Intervals)-1]
		if last.To == nil || last.To.After(l.at) || last.To.Before(l.at.Add(-beatKnown)) {
			l.t.Errorf("%s was there until %v, and the instance until %v", a.User, last.To, l.at)
		}
	}
	return took
}
