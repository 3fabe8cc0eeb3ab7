package load
import ("testing";"context";"time";"os";"strconv";"runtime/pprof";"syscall")
func TestDbgClosed(t *testing.T){
	kind:=os.Getenv("KIND"); if kind=="" {kind="null"}
	n,_:=strconv.Atoi(os.Getenv("N")); if n==0 {n=64}
	a:=Attack{Load:Load{Kind:Closed,Clients:n},Request:Request{URL:serve(t,kind)},For:4*time.Second,Timeout:5*time.Second}
	if f:=os.Getenv("PROF"); f!="" { w,_:=os.Create(f); pprof.StartCPUProfile(w); defer pprof.StopCPUProfile() }
	kinds:=map[string]int{}
	var ru,ru2 syscall.Rusage
	syscall.Getrusage(0,&ru)
	o,err:=a.Run(context.Background(),nil,func(h *Hit){ kinds[h.Kind]++ })
	syscall.Getrusage(0,&ru2)
	if err!=nil{t.Fatal(err)}
	us:=func(r syscall.Rusage)int64{return r.Utime.Usec+r.Utime.Sec*1e6}
	ss:=func(r syscall.Rusage)int64{return r.Stime.Usec+r.Stime.Sec*1e6}
	t.Logf("closed %d conns %d %v %.0f/s user %.2f sys %.2f µs/hit, nvcsw/hit %.3f nivcsw %.3f", o.Sent,o.Connections,kinds,float64(kinds[""])/4, float64(us(ru2)-us(ru))/float64(o.Sent), float64(ss(ru2)-ss(ru))/float64(o.Sent), float64(ru2.Nvcsw-ru.Nvcsw)/float64(o.Sent), float64(ru2.Nivcsw-ru.Nivcsw)/float64(o.Sent))
}
