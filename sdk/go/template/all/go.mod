module plugins.local/{{name}}

go 1.25

require gatewright v0.0.0

replace gatewright => ./gatewright
