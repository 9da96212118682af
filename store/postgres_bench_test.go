package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// BenchmarkPostgres measures saves beside bare, a commit of one row on the
// same server: no save can be faster than that.
func BenchmarkPostgres(b *testing.B) {
	b.Run("Bare", benchmarkBareCommit)
	b.Run("SaveOneJoin", func(b *testing.B) { benchmarkJoins(b, openPostgres(b, fresh(b)), 1) })
	b.Run("Save16Joins", func(b *testing.B) { benchmarkJoins(b, openPostgres(b, fresh(b)), 16) })
	b.Run("Save1024Joins", func(b *testing.B) { benchmarkJoins(b, openPostgres(b, fresh(b)), 1024) })
	b.Run("Save50Rooms", func(b *testing.B) { benchmarkRooms(b, openPostgres(b, fresh(b))) })
	// Whoever gives up a name is saved alone: a transaction a step.
	b.Run("Save50RoomsAlone", func(b *testing.B) { benchmarkRooms(b, openPostgres(b, fresh(b)), "nobody's") })
	b.Run("Load", func(b *testing.B) { benchmarkLoad(b, openPostgres(b, fresh(b))) })
}

func benchmarkBareCommit(b *testing.B) {
	conn, err := pgx.Connect(b.Context(), fresh(b))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	if _, err := conn.Exec(b.Context(), `CREATE TABLE bare (n bigint)`); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if _, err := conn.Exec(b.Context(), `INSERT INTO bare (n) VALUES ($1)`, i); err != nil {
			b.Fatal(err)
		}
	}
}
