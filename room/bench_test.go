package room

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// joins are those of so many students, each with a socket.
func joins(n int) []Command {
	commands := make([]Command, n)
	for i := range commands {
		u := fmt.Sprintf("student-%05d", i)
		commands[i] = Command{
			ID: CommandID("i1." + itoa(i)), Type: CommandJoin, Room: theRoom, AskedAt: bell,
			By: Caller{User: UserID(u), Name: "Name of " + u, Role: Student}, Code: theCode,
			Session: SessionID(u + "/1"), Instance: "i1",
		}
	}
	return commands
}

// What a full batch costs, in rooms that have people already.
func BenchmarkBatchAndApply(b *testing.B) {
	for _, before := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("1024 joins among %d", before), func(b *testing.B) {
			all := joins(before + 1024)
			full := newRoom(MaxCapacity)
			full.Apply(full.Batch(all[:before], bell).Entry)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				r := copyOf(full)
				b.StartTimer()
				step := r.Batch(all[before:], bell.Add(time.Second))
				r.Apply(step.Entry)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/join")
		})
	}
}

// longLine is a full room of 1,024 seats, for each of which more than nine wait.
func longLine() *Room {
	r := after(newRoom(1024), update(options(OptionsEdit{Waitlist: new(true)})))
	r.Apply(r.Batch(joins(1024+10_000), bell).Entry)
	return r
}

// What moves many who wait at once, and what the length of the line costs one
// who comes to its end, or goes from the middle of it.
func BenchmarkLongLine(b *testing.B) {
	raised := update(seats(2048))
	var left []Command
	for _, c := range joins(1024) {
		left = append(left, leave(c.By.User))
	}
	one := joins(12_000)[11_999]
	for name, batch := range map[string][]Command{
		"1024 seats more": {raised}, "1024 seats freed": left, "one comes": {one}, "one goes": {leave("student-06000")}, "tick": nil,
	} {
		b.Run(name, func(b *testing.B) {
			full := longLine()
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				r := copyOf(full)
				b.StartTimer()
				step := r.Batch(batch, bell.Add(time.Second))
				r.Apply(step.Entry)
			}
		})
	}
}

// Sockets that come and go in a full room, half of which would have a free
// seat looked for.
func BenchmarkBatchOfReloads(b *testing.B) {
	r := newRoom(10_000)
	r.Apply(r.Batch(joins(10_000), bell).Entry)
	commands := joins(512)
	for i := range 512 {
		newcomer := commands[i]
		newcomer.By.User = "late-" + newcomer.By.User
		commands[i].Session += "again"
		commands = append(commands, newcomer)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Batch(commands, bell.Add(time.Second))
	}
}

// What sending a command to another instance costs.
func BenchmarkCommandJSON(b *testing.B) {
	c := joins(1)[0]
	text, err := json.Marshal(c)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(c); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var c Command
			if err := json.Unmarshal(text, &c); err != nil {
				b.Fatal(err)
			}
		}
	})
}
