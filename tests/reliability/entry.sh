# shellcheck shell=bash
# Sourced by tests/run-*: the options that they share, and the build of what they run. Wants
# `here`, the folder of tests; usage(); the array `more`, arguments that come first; and where the
# program knows no --short, the array short_form, what stands for it. Sets `build`, and adds what is
# handed on to `more`.
[[ -v short_form ]] || short_form=(--short)
default_build=build-check-release
setup=(--buildtype=release)

read_options() {
  build=$here/../$default_build
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
  [[ -f $build/build.ninja ]] || meson setup "$build" "$here/.." "${setup[@]}" >&2
  ninja -C "$build" "$@" >&2
}

in_scratch() {  # name command...: with --scratch, a folder that is kept when the command fails
  local name=$1 scratch
  shift
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/cairn-$name.XXXXXX")
  echo "scratch: $scratch" >&2
  "$@" --scratch "$scratch" || return
  rm -rf "$scratch"
}
