package app

import (
	"os"
	"strconv"
	"time"
)

// CrashStatus is what the process exits with on /crash: EX_SOFTWARE of
// sysexits.h, which no arbiter takes for a failure to start.
const CrashStatus = 70

func (a *App) crash(Response, *Request, []int) error {
	os.Stderr.WriteString("app: crash was asked for\n")
	os.Exit(CrashStatus)
	return nil
}

func (a *App) hang(_ Response, r *Request, _ []int) error {
	for r.Loop == nil && r.Gone == nil {
		time.Sleep(time.Hour) // a bare select would be reported as a deadlock in a program that does nothing else
	}
	return await(r, func(func()) {}) // nobody will say done
}

// leak keeps memory and writes to each page of it, since memory that was only
// asked for takes no room.
func (a *App) leak(w Response, _ *Request, v []int) error {
	kept := make([]byte, v[0]<<20)
	for i := 0; i < len(kept); i += 4096 {
		kept[i] = 1
	}
	a.mu.Lock()
	a.leaked = append(a.leaked, kept)
	a.mu.Unlock()
	return text(w, 200, "kept "+strconv.Itoa(v[0])+" MiB\n")
}
