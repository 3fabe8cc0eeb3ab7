//go:build database

package app

import "gatewaylab/servers/database"

func openDatabase(dsn string, pool int) (Database, error) { return database.Open(dsn, pool) }
