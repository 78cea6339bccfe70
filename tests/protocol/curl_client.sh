#!/bin/sh
# A client of spe written with curl and sh from the protocol page alone: one task at a time.
#
#   MASTER=https://10.0.0.1:8040 TRUST='-k --pinnedpubkey sha256//…' sh curl_client.sh <session-id.txt
#
# The session ID comes on standard input and reaches curl on its own: it is on no command line.
set -u
export LC_ALL=C
read -r session
: "${MASTER:?the URL of the master}" "${TRUST:=}"
platform=$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
trap 'exit 143' TERM INT

# ask PATH QUERY OUTPUT [CURL'S OPTIONS]: prints the status; the headers go to OUTPUT.head.
# shellcheck disable=SC2086  # TRUST is several words
ask() {
    path=$1 query=$2 out=$3
    shift 3
    printf 'url = "%s%s?sessionID=%s&%s"\n' "$MASTER" "$path" "$session" "$query" |
        curl -sS $TRUST -K - -o "$out" -D "$out.head" -w '%{http_code}' "$@"
}

key() { sed -n "s/^$1=//p" "$home/config"; }

register() {
    status=$(ask /config "platform=$platform&host=${HOST_NAME:-curl}&slots=1" "$home/config") || exit 3
    [ "$status" = 200 ] || { echo "registration: $status" >&2; exit 4; }
    client=$(key Client) ping=$(key Ping) worker=$(key Worker)
}

fetch_worker() {
    [ -n "$worker" ] || return 0
    status=$(ask /worker "name=$worker&platform=$platform" "$home/$worker")
    [ "$status" = 200 ] || { cat "$home/$worker" >&2; exit 9; }
    echo "$(key MD5)  $home/$worker" | md5sum -c --status || { echo "the worker is damaged" >&2; exit 9; }
    chmod +x "$home/$worker"
}

# The record is walked through by bytes: $at is where the next line begins.
line_here() { tail -c "+$((at + 1))" "$home/record" | head -n 1; }
skip_line() { at=$((at + $(printf '%s' "$line" | wc -c) + 1)); }

read_command() {
    skip_line
    command=${line#CommandLine=}
    until (eval "set -- $command") 2>/dev/null; do # a newline inside quotes: the value goes on
        line=$(line_here)
        skip_line
        command="$command
$line"
    done
}

read_input() {
    skip_line
    line=$(line_here) && name=${line#File=} && skip_line
    line=$(line_here) && length=${line#Length=} && skip_line
    line=$(line_here) && skip_line # --begin content--
    case $name in /* | .. | ../* | */.. | */../*) echo "bad name $name" >&2 && exit 1 ;; esac
    file=$dir/$name
    [ "$name" = stdin ] && file=$home/stdin
    mkdir -p "$(dirname "$file")"
    tail -c "+$((at + 1))" "$home/record" | head -c "$length" >"$file"
    at=$((at + length + 1))
    line=$(line_here) && skip_line # --end content--
}

read_result() {
    skip_line
    line=$(line_here) && name=${line#Name=} && skip_line
    line=$(line_here) && file=${line#File=} && skip_line
    path=$dir/$file
    [ "$file" = stdout ] && path=$home/stdout
    printf '%s\n' "$name=@$path" >>"$home/parts"
}

read_record() {
    at=0 size=$(wc -c <"$home/record") ticket='' timeout=0 command=''
    : >"$home/parts"
    while [ "$at" -lt "$size" ]; do
        line=$(line_here)
        case $line in
        Ticket=*) ticket=${line#Ticket=} && skip_line ;;
        Timeout=*) timeout=${line#Timeout=} && skip_line ;;
        CommandLine=*) read_command ;;
        '[Input]') read_input ;;
        '[Result]') read_result ;;
        *) skip_line ;;
        esac
    done
}

ping_while_it_runs() {
    while sleep "$ping" && kill -0 "$1" 2>/dev/null; do
        [ "$(ask /ping "ticket=$ticket&client=$client" "$home/ping")" = 205 ] && kill "$1"
    done
}

run_program() {
    eval "set -- $command"
    (cd "$dir" && exec timeout "$timeout" "$@") <"$home/stdin" >"$home/stdout" 2>"$home/stderr" &
    program=$!
    pinger=''
    [ "$ping" = 0 ] || { ping_while_it_runs "$program" & pinger=$!; }
    wait "$program"
    code=$?
    [ -z "$pinger" ] || kill "$pinger"
}

deliver() {
    set --
    if [ "$code" = 0 ]; then
        while read -r part; do set -- "$@" -F "$part"; done <"$home/parts"
        ask /complete "ticket=$ticket&client=$client" "$home/said" "$@" -F "exit-code=$code" >"$home/status"
    else
        ask /failed "ticket=$ticket&client=$client&reason=exit%20code%20$code" "$home/said" \
            -F "stderr=@$home/stderr" -F "exit-code=$code" >"$home/status"
    fi
    echo "ticket $ticket: $(cat "$home/status" "$home/said")"
}

work() {
    dir=$home/task
    mkdir "$dir"
    [ -z "$worker" ] || ln -s "$home/$worker" "$dir/$worker"
    : >"$home/stdin"
    read_record
    run_program
    deliver
    rm -rf "$dir"
}

register
fetch_worker
while status=$(ask /task "client=$client&worker=$worker" "$home/record"); do
    case $status in
    200) work ;;
    503)
        again=$(tr -d '\r' <"$home/record.head" | sed -n 's/^[Rr]etry-[Aa]fter: //p')
        [ -n "$again" ] || exit 0
        sleep "$again"
        ;;
    *) echo "task: $status" >&2 && exit 1 ;;
    esac
done
exit 3
