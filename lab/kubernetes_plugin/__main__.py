"""``python -m lab.kubernetes_plugin ENGINE``: the plugin process."""

from lab.kubernetes_plugin import stubs

stubs.prepare()

from lab.kubernetes_plugin.serve import main  # noqa: E402

main()
