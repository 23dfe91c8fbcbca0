using TokenKit.Native;

namespace TokenKit;

/// <summary>
/// Which store is used, and what opens it, as the environment says. Read at each call, and handed over: native code
/// does not see what scripts do to <c>$env:</c>.
/// </summary>
internal static class StoreEnvironment
{
    /// <summary>What the names of all these variables begin with.</summary>
    internal const string Prefix = "TOKENKIT_";

    internal const string Folder = "TOKENKIT_HOME";
    internal const string Key = "TOKENKIT_STORE_KEY";
    internal const string KeyFile = "TOKENKIT_STORE_KEY_FILE";
    internal const string NoKeyring = "TOKENKIT_NO_KEYRING";

    /// <summary>The store for <paramref name="call"/>, which gets its key.</summary>
    internal static StoreOptions Options(Call call) => new()
    {
        folder = Variable(Folder),
        config_home = Variable(OperatingSystem.IsWindows() ? "LOCALAPPDATA" : "XDG_CONFIG_HOME"),
        key = Variable(Key) is { } key ? call.Put(key) : null,
        key_file = Variable(KeyFile),
        no_keyring = Variable(NoKeyring) is not null,
        lock_timeout_ms = null,
    };

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? text : null;
}
