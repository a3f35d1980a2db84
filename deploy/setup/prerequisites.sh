#!/bin/sh
# Says on its first line which prerequisite is missing and the command that installs it; exit code 2 then.
# With --python it prints the interpreter to use instead.
set -u

# A Python of 3.11 or later with the venv module; the plain name first.
find_python() {
    for candidate in "${PYTHON:-}" python3 python3.11 python3.12 python3.13; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            "$candidate" -c "import sys; print(sys.executable)"
            return 0
        fi
    done
    return 1
}

if [ "${1:-}" = "--python" ]; then
    find_python
    exit
fi

missing=""
packages=""
need() {
    missing="${missing:+$missing, }$1"
    packages="$packages $2"
}

find_python >/dev/null || need "Python 3.11+ (venv)" "python3 python3-venv"

java_major() {
    java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1
}
major=$(java_major)
if [ -z "$major" ] || [ "$major" -lt 17 ]; then need "Java 17+" "openjdk-17-jre-headless"; fi
command -v mvn >/dev/null 2>&1 || need "Maven" "maven"
if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then need "Node + npm" "nodejs npm"; fi

if [ -n "$missing" ]; then
    sudo="sudo "
    [ "$(id -u)" = 0 ] && sudo=""
    echo "Thiếu / missing: $missing  →  ${sudo}apt-get update && ${sudo}apt-get install -y$packages"
    exit 2
fi
