"""Settings that name what exists already and is taken over, and the rules on them."""

from settings.core.field import Group, setting

NOT_FOUND = 'the run ends with "resource does not exist"'


class Adopt(Group):
    """What exists already and is taken over: compared with the settings, never deleted or replaced,
    left in place by a destroy.

    The keys stay for as long as the stack does; without them its settings describe another pool,
    bucket or role.
    """

    node_pool_id: str | None = setting(
        None,
        "Id of an existing node pool of the cluster, which nodePool describes. Its name and its tags stay as they are.",
        pattern=r"^np[0-9a-z]{20,}$",
        expected="an id as ACK shows it, starting with np",
        otherwise=NOT_FOUND,
        example="np4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f",
    )
    bucket: str | None = setting(
        None,
        "Name of an existing bucket, which modelStore describes. Its guards (private ACL, block of public access, versioning, encryption, "
        "TLS only) have to be there as well.",
        pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        expected="3 to 63 lower-case letters, digits and hyphens, no hyphen at either end",
        otherwise=NOT_FOUND,
        example="my-team-models",
    )
    role_name: str | None = setting(
        None,
        "Name of an existing RAM role for the model volume; its trust policy has to name this cluster's OSS driver. The policy it reads "
        "with is the stack's own.",
        pattern=r"^[A-Za-z0-9.-]{1,64}$",
        expected="1 to 64 letters, digits, dots and hyphens",
        otherwise=NOT_FOUND,
        example="model-reader",
    )
    namespace: bool = setting(
        False,
        "Whether the namespace that `namespace` names is there already. It has to enforce the pod security level restricted.",
        expected="true or false",
        otherwise="the run ends because the namespace exists",
        example="true",
    )
    change: bool = setting(
        False,
        "false: a run refuses to change what was adopted, and names what differs. true: it makes the changes the preview shows.",
        expected="true or false",
        otherwise="nobody can tell whether a run changes what it did not make",
        example="true",
    )
