#!/usr/bin/env bash
# recipes/faces-64.sh [FOLDER [SIDE]]: from nothing to faces that are drawn and changed by telling, on two cores in under two hours.
# Stop it at any moment: the same command goes on where it stopped. FOLDER is out/faces-64 unless you name another.
# SIDE 128 is for a GPU. A prepared set FOLDER/faces.telldraw that is there already is taken instead of drawn faces: real ones,
# with attributes, captions, sketches and regions (docs/data/real-faces.md).
set -euo pipefail
side=${2:-64}
folder=${1:-out/faces-$side}
data=$folder/faces.telldraw
mkdir -p "$folder"

# step "what it is" COMMAND...: runs it, and writes down how long it took.
step() {
	local what=$1 begin=$SECONDS
	shift
	echo "== $what"
	"$@"
	printf '%s\t%d s\n' "$what" $((SECONDS - begin)) | tee -a "$folder/minutes.tsv"
}

# Trainings that were ended say so and end at once, so only these two need to be asked after.
prepared() { test -e "$data" || telldraw prepare faces --render 12000 --resolution "$side" --out "$data"; }
measured() {
	telldraw layers "$folder/tedigan" --judge "$folder/judge" --data "$data" --out "$folder/layers.png"
	telldraw evaluate "$folder/tedigan" --data "$data" --judge "$folder/judge" --perceptual "$folder/features" --samples 2048
}
# Both are small: a core each.
classifiers() {
	OMP_NUM_THREADS=1 telldraw train classifier --data "$data" --preset faces --seed 1 --out "$folder/judge" &
	local judge=$!
	OMP_NUM_THREADS=1 telldraw train classifier --data "$data" --preset faces-features --seed 2 --out "$folder/features"
	wait "$judge"
}
tedigan() { # PRESET START OUT OPTIONS
	telldraw train tedigan --data "$data" --preset "$1" --start-from "$folder/$2" --out "$folder/$3" "${@:4}"
}
features=(--perceptual "$folder/features")

step "12,000 faces are rendered" prepared
step "what judges the drawings, and whose features count as likeness" classifiers
step "the generator" telldraw train style-autoencoder --data "$data" --preset "faces-$side" "${features[@]}" --out "$folder/generator"
step "photographs" tedigan "faces-$side" generator image "${features[@]}"
step "sketches" tedigan "faces-$side"-sketch image sketch "${features[@]}"
step "maps of regions" tedigan "faces-$side"-regions sketch regions "${features[@]}"
step "texts" tedigan "faces-$side"-text regions tedigan
step "what each layer changes, and the figures" measured

told=$folder/told # the first test face: the picture, its sketch and its regions
python docs/gallery/tedigan.py "$data" "$told"
draw() { telldraw generate "$folder/tedigan" "$@"; }
draw "a young woman with black hair and eyeglasses" "an old man with a hat, smiling" --n 8 --out "$folder/from-texts.png"
draw --sketch "$told/sketch.png" --n 8 --out "$folder/from-a-sketch.png"
draw --label "$told/regions.png" --n 8 --out "$folder/from-regions.png"
telldraw edit "$folder/tedigan" "$told/face.png" "he is smiling, with blond hair" "he wears a hat" --perceptual "$folder/features" --out "$folder/edited.png"
echo "pictures, figures and minutes.tsv: $folder"
