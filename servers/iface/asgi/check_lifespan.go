package asgi

// lifespanRules are those of a lifespan scope.
type lifespanRules struct {
	phase phase
	ended bool // a start-up or a shutdown failed
}

func (l *lifespanRules) receives() *RuleError {
	if l.phase == starting || l.phase == stopping {
		return byApplication(LifespanAnswer, "receive was called before the last event was answered")
	}
	if l.phase == stopped || l.ended {
		return byApplication(LifespanAnswer, "receive was called when nothing could come any more")
	}
	return nil
}

func (l *lifespanRules) received(e Event) *RuleError {
	switch e.(type) {
	case *LifespanStartup:
		if l.phase != called {
			return byServer(StartupFirst, "lifespan.startup came twice")
		}
		l.phase = starting
	case *LifespanShutdown:
		if l.phase != started {
			return byServer(ShutdownStarted, "lifespan.shutdown came before lifespan.startup.complete")
		}
		l.phase = stopping
	default:
		return byServer(ReceiveProtocol, "%s came in a lifespan scope", e.EventType())
	}
	return nil
}

func (l *lifespanRules) sends(e Event) *RuleError {
	asked := starting
	switch e.(type) {
	case nil:
		return byApplication(SendProtocol, "nil was sent instead of an event")
	case *LifespanStartupComplete, *LifespanStartupFailed:
	case *LifespanShutdownComplete, *LifespanShutdownFailed:
		asked = stopping
	default:
		return byApplication(SendProtocol, "%s was sent in a lifespan scope", e.EventType())
	}
	if l.phase != asked {
		return byApplication(LifespanAnswer, "%s answers nothing that was received", e.EventType())
	}
	return nil
}

func (l *lifespanRules) sent(e Event) {
	switch e.(type) {
	case *LifespanStartupComplete:
		l.phase = started
	case *LifespanStartupFailed:
		l.phase, l.ended = called, true
	default:
		l.phase = stopped
	}
}

func (l *lifespanRules) left() {}

func (l *lifespanRules) gone() bool { return false }

func (l *lifespanRules) returned(err error) *RuleError {
	if err == nil && (l.phase == starting || l.phase == stopping) {
		return byApplication(LifespanAnswer, "it returned without an answer")
	}
	return nil
}
