"""Parts of an export that know nothing of the package: source, weights, their folder and its proof."""
