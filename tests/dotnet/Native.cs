using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TokenKit.Native.Tests;

/// <summary>Finds what cargo has built, and makes the bindings load it.</summary>
internal static class Native
{
    private static string TargetFolder => Path.Combine(Repository(), "target", "debug");

    /// <summary>The library under test.</summary>
    public static string Library { get; } = Path.Combine(
        Environment.GetEnvironmentVariable("TOKENKIT_LIBRARY_FOLDER") ?? TargetFolder,
        OperatingSystem.IsWindows() ? "tokenkit.dll" : OperatingSystem.IsMacOS() ? "libtokenkit.dylib" : "libtokenkit.so");

    /// <summary>The program of the authorization server.</summary>
    public static string TestServer { get; } =
        Environment.GetEnvironmentVariable("TOKENKIT_TESTSERVER")
        ?? Path.Combine(TargetFolder, OperatingSystem.IsWindows() ? "tokenkit-testserver.exe" : "tokenkit-testserver");

    public static void Resolve(Assembly assembly) =>
        NativeLibrary.SetDllImportResolver(
            assembly,
            (name, _, _) => name == "tokenkit" ? NativeLibrary.Load(Library) : IntPtr.Zero);

    [ModuleInitializer]
    internal static void ResolveOwnBindings() => Resolve(typeof(TokenClient).Assembly);

    private static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Cargo.lock")))
        {
            folder = folder.Parent;
        }
        return folder?.FullName ?? throw new DirectoryNotFoundException("The tests run outside the repository.");
    }
}
