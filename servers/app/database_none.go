//go:build !database

package app

func openDatabase(string, int) (Database, error) { return nil, errNoDriver }
