"""Names of models are checked before anything is loaded."""

import pytest

from lowlabel.errors import DataError
from lowlabel.features.models.check import check_model
from lowlabel.features.models.code.trust import trust_code


def test_a_hub_folder_needs_a_hubconf(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DataError, match=r"there is no .*hubconf\.py"):
            check_model(f"hub:{folder}:entry")
    (tmp_path / "hubconf.py").touch()
    trust_code(f"hub:{tmp_path}:entry")
    check_model(f"hub:{tmp_path}:entry")
    with pytest.raises(DataError, match="runs the code of that repository on this computer"):
        check_model("hub:owner/name:main:entry")
