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
