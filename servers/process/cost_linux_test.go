package process

import (
	"os"
	"strconv"
	"testing"
)

// What each part of a sample costs for one process, this one.
func BenchmarkParts(b *testing.B) {
	dir := "/proc/" + strconv.Itoa(os.Getpid())
	b.Run("stat", func(b *testing.B) {
		for b.Loop() {
			readStat(os.Getpid())
		}
	})
	b.Run("cpu clock", func(b *testing.B) {
		for b.Loop() {
			cpuTime(os.Getpid())
		}
	})
	b.Run("pss", func(b *testing.B) {
		for b.Loop() {
			proportionalSize(os.Getpid(), dir)
		}
	})
	b.Run("files", func(b *testing.B) {
		for b.Loop() {
			openFiles(dir + "/fd")
		}
	})
	b.Run("switches", func(b *testing.B) {
		for b.Loop() {
			new(Usage).switches(dir + "/task")
		}
	})
	b.Run("listen queue", func(b *testing.B) {
		for b.Loop() {
			ListenQueue(1)
		}
	})
	b.Run("machine", func(b *testing.B) {
		for b.Loop() {
			if _, err := ReadMachine(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
