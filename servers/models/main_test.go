package models_test

import (
	"os"
	"testing"

	"gatewaylab/servers/process/processtest"
)

func TestMain(m *testing.M) { os.Exit(processtest.Run(m)) }
