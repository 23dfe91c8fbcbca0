# Dot-sourced after TestHelpers.ps1 by the tests of secrecy: secrets that are easily found again, in whatever form, in texts
# and in the memory of another process.

# What every canary of a file begins with. No form of it holds a character that an encoding writes in two ways.
function New-Mark {
    do {
        $mark = 'c4nary' + [guid]::NewGuid().ToString('N').Substring(0, 14)
    } while ((Get-EncodedForm ([System.Text.Encoding]::ASCII.GetBytes($mark))) -match '[+/]')
    $mark
}

# A secret with characters that encodings change. `Kind` tells it from others.
function New-Canary([string] $Mark, [string] $Kind) { "$Mark-$Kind+&/=%`"ö" }

# What any text with these bytes in it holds when it is encoded: hex, and base64 with other bytes before and after.
function Get-EncodedForm([byte[]] $Bytes) {
    [Convert]::ToHexString($Bytes)
    foreach ($before in 0..2) {
        $base64 = [Convert]::ToBase64String([byte[]]::new($before) + $Bytes)
        $base64.Substring(4, $base64.Length - 8)
    }
}

# All that betrays a secret with the mark or with these bytes of a key in it, for Find-Form.
function Get-Form([string] $Mark, [byte[]] $KeyBytes) {
    $Mark
    Get-EncodedForm ([System.Text.Encoding]::ASCII.GetBytes($Mark))
    if ($KeyBytes) { (Get-EncodedForm $KeyBytes).ForEach{ $_; $_.Replace('+', '-').Replace('/', '_') } | Select-Object -Unique }
}

# The text around the first form that is in the text; nothing when there is none.
function Find-Form([string[]] $Form, [string] $Text) { [TokenKit.Tests.Search]::Text($Form, $Text) }

# ---- memory

if (-not ('TokenKit.Tests.Search' -as [type])) {
    Add-Type -TypeDefinition @'
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;

namespace TokenKit.Tests
{
    public static class Search
    {
        // Escaped characters are read, too, so that one form stands for all spellings of it.
        public static string Text(string[] forms, string text)
        {
            string read = Regex.Replace(Uri.UnescapeDataString(text), @"\\u([0-9a-fA-F]{4})|\\/", match =>
                match.Groups[1].Success ? ((char)int.Parse(match.Groups[1].Value, NumberStyles.HexNumber)).ToString() : "/");
            foreach (string searched in new[] { text, read })
            {
                foreach (string form in forms)
                {
                    int place = searched.IndexOf(form, StringComparison.OrdinalIgnoreCase);
                    if (place >= 0)
                    {
                        int start = Math.Max(0, place - 200);
                        return "…" + searched.Substring(start, Math.Min(400, searched.Length - start)) + "…";
                    }
                }
            }
            return null;
        }

        // The places of the patterns in the writable memory of a process, each with the bytes around it. What the search
        // itself knows is in another process.
        public static string[] Memory(int process, string[] names, byte[][] patterns)
        {
            var found = new List<string>();
            int longest = patterns.Max(pattern => pattern.Length);
            var buffer = new byte[1 << 20];
            using (var memory = new FileStream("/proc/" + process + "/mem", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 0))
            {
                foreach (string line in File.ReadAllLines("/proc/" + process + "/maps"))
                {
                    string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                    if (!words[1].StartsWith("rw")) { continue; }
                    long[] range = words[0].Split('-').Select(word => long.Parse(word, NumberStyles.HexNumber)).ToArray();
                    string place = words.Length > 5 ? words[5] : "anonymous";
                    int kept = 0;
                    for (long at = range[0]; at < range[1];)
                    {
                        int read;
                        try
                        {
                            memory.Position = at;
                            read = memory.Read(buffer, kept, (int)Math.Min(buffer.Length - kept, range[1] - at));
                        }
                        catch (IOException)
                        {
                            break;
                        }
                        if (read <= 0) { break; }
                        at += read;
                        int length = kept + read;
                        for (int index = 0; index < patterns.Length; index++)
                        {
                            for (int from = 0; ; from++)
                            {
                                int hit = buffer.AsSpan(from, length - from).IndexOf(patterns[index]);
                                if (hit < 0) { break; }
                                from += hit;
                                // What was kept has been searched before.
                                if (from + patterns[index].Length <= kept) { continue; }
                                int start = Math.Max(0, from - 64);
                                var around = buffer.AsSpan(start, Math.Min(192, length - start)).ToArray();
                                string text = new string(around.Where(b => b != 0).Select(b => b >= 32 && b < 127 ? (char)b : '.').ToArray());
                                found.Add(names[index] + " in " + place + " at " + (at - length + from).ToString("x") + ": " + text);
                            }
                        }
                        kept = Math.Min(longest - 1, length);
                        Array.Copy(buffer, length - kept, buffer, 0, kept);
                    }
                }
            }
            return found.ToArray();
        }
    }
}
'@
}

# The copies of these bytes in the memory of a process: as such, backwards as numbers are kept, and in hex and base64, texts
# as UTF-8 and as UTF-16.
function Search-Memory([int] $Process, [byte[]] $Bytes) {
    $names = [System.Collections.Generic.List[string]]@('plain', 'backwards', 'plain, UTF-16')
    $patterns = [System.Collections.Generic.List[byte[]]]::new()
    $patterns.Add($Bytes)
    $patterns.Add($Bytes[($Bytes.Count - 1)..0])
    $patterns.Add([byte[]]$Bytes.ForEach{ $_; 0 })
    $hex, $base64 = Get-EncodedForm $Bytes
    foreach ($text in @($hex, $hex.ToLowerInvariant()) + $base64 + $base64.ForEach{ $_.Replace('+', '-').Replace('/', '_') } | Select-Object -Unique) {
        foreach ($encoding in [System.Text.Encoding]::ASCII, [System.Text.Encoding]::Unicode) {
            $names.Add("$text, $($encoding.WebName)")
            $patterns.Add($encoding.GetBytes($text))
        }
    }
    , [TokenKit.Tests.Search]::Memory($Process, $names, $patterns)
}
