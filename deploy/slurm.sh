#!/bin/bash
# Workers on one study, as a SLURM array: sbatch --array=0-15 slurm.sh STUDY
# STUDY is a study's folder that every node sees; its study.toml names a storage, such as PostgreSQL (docs/workers.md).
#SBATCH --job-name=nas-attn
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@60       # a minute before the end, so that finished rows are written
#SBATCH --requeue              # what was begun goes on elsewhere
#SBATCH --output=%x-%A-%a.log
set -eu
study=${1:?usage: sbatch --array=0-15 slurm.sh STUDY}
# The password of the database: in ~/.pgpass (mode 600), never on a command line.
exec nas-attn search "$study" --no-check
