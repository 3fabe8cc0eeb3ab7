package servers

// RaceEnabled says whether the race detector is on, and so in the servers that
// tests start.
const RaceEnabled = raceEnabled
