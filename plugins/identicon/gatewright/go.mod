module gatewright

go 1.25
