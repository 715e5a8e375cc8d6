# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# The processes of system.sh: each started with a log in the folder $run, and ended by its id.
# Sourced by system.sh.
# shellcheck disable=SC2154 # $run is system.sh's

running='' # newest first, each as SIGNAL/PID, or SIGNAL/-PID for its whole process group
launched='' # every PID there ever was

# A session of its own keeps Ctrl-C away: what runs is ended in order, by stop_all.
launch() { # name, SIGNAL/ or SIGNAL/- that ends it, program, arguments...
    name=$1 signal=$2
    shift 2
    setsid "$@" </dev/null >"$run/$name.log" 2>&1 &
    running="$signal$! $running" launched="$launched $!"
}

# Ends the newest process, or the one that is named; kills it where that takes a quarter minute.
stop_one() { # [SIGNAL/PID]
    entry=${1:-${running%% *}}
    signal=${entry%/*} target=${entry#*/}
    pid=${target#-}
    # Where it has no group yet, it has no children either.
    kill -s "$signal" -- "$target" 2>/dev/null || kill -s "$signal" "$pid" 2>/dev/null || :
    for _ in $(seq 300); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    ! kill -0 "$pid" 2>/dev/null || kill -s KILL -- "$target" || :
    wait "$pid" 2>/dev/null || :
    running=$(echo "$running" | sed "s|$entry ||")
}

# Ends all that runs, the newest first, and removes the folder.
stop_all() {
    code=$?
    trap - EXIT
    trap '' INT TERM HUP PIPE
    # A signal may come between a start and the note of it.
    newest=${!:-}
    case "$launched " in
    *" $newest "*) ;;
    *) [ -z "$newest" ] || running="TERM/-$newest $running" ;;
    esac
    for each in $running; do stop_one "$each"; done
    [ -z "$run" ] || rm -rf "$run"
    exit "$code"
}

# Says why it cannot go on, with what a log ends with.
give_up() { # why, [name of the log]
    echo "system.sh: $1" >&2
    [ -z "${2:-}" ] || tail -n 20 "$run/$2.log" >&2
    exit 1
}
