"""Neural architecture search over attention placements in CNNs.

In the order of a day's work:

- `load_space`: a search-space file, as what it says and as the `SearchSpace` of its architectures
- `Architecture`, `parse`: what stands where, and its one spelling, read back
- `build`: an architecture as an `nn.Module`
- `count`, `measure_latency`: what a network costs
- `open_study`: a study's folder, to search, to read and to export from
- `load_export`: the network of an exported folder, checked against its checksums
- `ask`: whether an attention at a place helps a network, trained until that is known
- `front`, `knee`, `hypervolume`, `read_csv`, `write_csv`: the trade-off between accuracy and cost, in pandas
- `load_table`: a published table of a whole space, to compare samplers without training
- `InputError`: every fault of a file, an image or a name

Names are loaded when they are first used, so that importing the package costs nothing.
"""

import lazy_loader

__version__ = "0.2.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
