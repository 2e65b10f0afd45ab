"""The sites of families stand where their libraries say: at blocks, at the ends of stages, at their own attention."""

import os

import pytest
from family_positions import BLOCKS, OWN, STAGES, check_own, check_sites, check_stages
from family_table import FAMILIES
from placing import installed
from versions import TIMM_JOINS_DPN

ALL = bool(os.environ.get("NAS_ATTN_FAMILIES"))
SIZES = {family.network: family.size for family in FAMILIES}
SHORT_STAGES = ("dla34", "cspresnet50", "ese_vovnet19b_dw", "selecsls42", "convnext_atto")
SHORT_OWN = ("legacy_seresnet18", "nfnet_l0", "ese_vovnet19b_dw", "mobilenet_v3_small", "ghostnet_050")

NEWER = {"timm:dpn48b": TIMM_JOINS_DPN}


def some(networks, short):
    return [
        pytest.param(
            network,
            marks=() if network.partition(":")[2] in short else pytest.mark.skipif(not ALL, reason="make families"),
        )
        for network in networks
    ]


@pytest.fixture(autouse=True)
def _libraries(network):
    if not installed(network.partition(":")[0]):
        pytest.skip("its library is not there")


@pytest.mark.filterwarnings("ignore:Mapping deprecated model name")
@pytest.mark.parametrize("network", [pytest.param(one, marks=NEWER.get(one, ())) for one in BLOCKS])
def test_the_first_and_the_last_block_branch_and_stage_are_those_of_the_source(network):
    check_sites(network)


@pytest.mark.parametrize("network", some(STAGES, SHORT_STAGES))
def test_stages_end_where_the_library_takes_their_features(network):
    check_stages(network, max(SIZES.get(network, 64), 64))


@pytest.mark.parametrize("network", some(OWN, SHORT_OWN))
def test_attention_that_was_stripped_and_put_back_gives_the_librarys_network(network):
    check_own(network, SIZES.get(network, 64))


@pytest.mark.parametrize("network", [family.network for family in FAMILIES])
def test_every_family_says_where_its_blocks_are(network):
    assert network in BLOCKS
