from __future__ import annotations

import pytest

from local.guard import InsideAzureError, refuse_inside_azure


@pytest.mark.parametrize(
    "environ",
    [
        {"WEBSITE_INSTANCE_ID": "abc"},
        {"WEBSITE_SITE_NAME": "orders"},
        {"CONTAINER_NAME": "c-1", "WEBSITE_POD_NAME": "p"},
    ],
)
def test_an_environment_of_azure_is_refused_with_its_sign(environ: dict[str, str]) -> None:
    with pytest.raises(InsideAzureError, match=f"does not start inside Azure .{next(iter(environ))} is set"):
        refuse_inside_azure(environ)


@pytest.mark.parametrize(
    "environ", [{}, {"CONTAINER_NAME": "devcontainer"}, {"WEBSITE_HOSTNAME": "localhost:7071"}]
)
def test_an_ordinary_machine_is_accepted(environ: dict[str, str]) -> None:
    refuse_inside_azure(environ)
