# shellcheck shell=bash
# Sourced by tests/run-*: the options that they share, and the build of what they run. Wants
# `here`, the folder of tests; usage(); and the array short_form, the arguments of a short form.
# Sets `build` and the array `more`, the arguments that are handed on.
read_options() {
  build=$here/../build-check-release
  while [[ $# -gt 0 ]]; do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --build) build=$2; shift 2 ;;
      --short) more+=("${short_form[@]}"); shift ;;
      *) more+=("$1"); shift ;;
    esac
  done
}

build_targets() {  # target...
  [[ -f $build/build.ninja ]] || meson setup "$build" "$here/.." --buildtype=release >&2
  ninja -C "$build" "$@" >&2
}
